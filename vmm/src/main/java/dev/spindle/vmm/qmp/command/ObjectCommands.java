// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.machine.ObjectOption;
import dev.spindle.vmm.machine.ObjectTypes;
import dev.spindle.vmm.qmp.OptionArguments;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/** The objects that users make (QAPI: qom.json). */
public final class ObjectCommands {
  /** An object that is to be: QAPI's ObjectOptions. */
  public record NewObject(ObjectNode values) implements OptionArguments {
    @Override
    public String tag() {
      return ObjectTypes.TAG;
    }

    @Override
    public Map<String, OptionList.Reader> readers() {
      return ObjectTypes.readers();
    }
  }

  /** Which object is to go. */
  public record ObjectId(String id) {}

  private ObjectCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockLayer, ?, ?>> all() {
    return List.of(
        action("object-add", NewObject.class, "Makes an object.", ObjectCommands::add),
        action(
            "object-del",
            ObjectId.class,
            "Deletes an object. Difference: an iothread in use is refused, too.",
            (layer, given) -> layer.objects().remove(given.id())));
  }

  private static void add(BlockLayer layer, NewObject wanted)
      throws QmpException, OptionException, IOException {
    Options options = wanted.options("object-add");
    String type = options.require(ObjectTypes.TAG);
    if (!ObjectTypes.readers().containsKey(type)) {
      throw new QmpException(
          "Parameter '" + ObjectTypes.TAG + "' does not accept value '" + type + "'");
    }
    ObjectOption object = ObjectTypes.read(type, options);
    ObjectTypes.checkId("object-add", object.id());
    layer.objects().add(object);
  }
}
