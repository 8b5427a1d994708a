// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.machine.DeviceOption;
import dev.spindle.vmm.machine.DeviceOptions;
import dev.spindle.vmm.machine.ObjectTypes;
import dev.spindle.vmm.machine.Peripherals;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.OptionArguments;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpErrorClass;
import dev.spindle.vmm.qmp.QmpException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/** Devices that come and go while the machine runs (QAPI: qdev.json). */
public final class DeviceCommands {
  private static final String PERIPHERAL = "/machine/peripheral/";
  private static final String ADD = "device_add";

  /** A device that is to be. */
  public record NewDevice(ObjectNode values) implements OptionArguments {
    @Override
    public String tag() {
      return "driver";
    }

    @Override
    public Map<String, OptionList.Reader> readers() {
      return DeviceOptions.KINDS;
    }
  }

  /** Which device is to go: its id, or QOM's path. */
  public record DeviceId(String id) {}

  private DeviceCommands() {}

  /** The declarations. */
  public static List<QmpCommand<VirtualMachine, ?, ?>> all() {
    return List.of(
        action(
            ADD,
            NewDevice.class,
            "Makes a device and puts it into a PCI slot; a guest that runs is told at once."
                + " Difference: the one bus is pcie.0, and addr is a text.",
            DeviceCommands::add),
        action(
            "device_del",
            DeviceId.class,
            "Asks the guest to eject a device; DEVICE_DELETED tells when it is gone. A reset takes"
                + " it out as well. A guest that has taken notice but keeps the device is asked"
                + " again.",
            DeviceCommands::remove));
  }

  /** QOM's path of a device. */
  static String path(String id) {
    return PERIPHERAL + id;
  }

  private static void add(VirtualMachine machine, NewDevice wanted)
      throws OptionException, IOException {
    Options options = wanted.options(ADD);
    Optional<String> id = options.peek("id");
    if (id.isPresent()) {
      ObjectTypes.checkId(ADD, id.get());
      if (machine.blockLayer().objects().find(id.get()).isPresent()) {
        throw new OptionException(ADD + ": duplicate id '" + id.get() + "'");
      }
    }
    Peripherals peripherals = machine.peripherals();
    DeviceOptions reader =
        new DeviceOptions(
            machine.machine().config().cpus(),
            machine.graph().nodes().stream().map(BlockNode::name).toList(),
            machine.blockLayer().ioThreads().stream().map(thread -> thread.id()).toList(),
            peripherals.options().stream().map(DeviceOption::id).toList());
    peripherals.plug(reader.parse(options));
  }

  private static void remove(VirtualMachine machine, DeviceId given)
      throws QmpException, BlockException {
    String name = given.id();
    String id = name.startsWith(PERIPHERAL) ? name.substring(PERIPHERAL.length()) : name;
    if (!machine.peripherals().contains(id)) {
      throw new QmpException(QmpErrorClass.DEVICE_NOT_FOUND, "Device '" + name + "' not found");
    }
    machine.peripherals().requestUnplug(id);
  }
}
