// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.machine.ObjectOption;
import dev.spindle.vmm.machine.ObjectTypes;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The arguments of {@code --object}, in the order given.
 *
 * @param ioThreads threads for I/O
 * @param throttleGroups limits that disks share
 * @param others what is referred to by id: secrets, credentials
 * @param ids the ids of all of them, and of what has claimed one since
 */
record ObjectOptions(
    List<IoThreadOption> ioThreads,
    List<ThrottleGroupOption> throttleGroups,
    List<UserObject> others,
    Set<String> ids) {
  private static final String OPTION = "--object";

  /**
   * Reads the arguments.
   *
   * @throws OptionException if one is wrong, or an id is given twice
   */
  static ObjectOptions parse(List<String> arguments) throws OptionException {
    ObjectOptions objects =
        new ObjectOptions(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new HashSet<>());
    Map<String, OptionList.Reader> kinds = ObjectTypes.readers();
    for (String argument : arguments) {
      Options options = KeyValueOptions.parse(OPTION, argument, ObjectTypes.TAG);
      String type = options.require(ObjectTypes.TAG);
      if (!kinds.containsKey(type)) {
        throw new OptionException(OptionHelp.unknown(OPTION, "type", type, kinds.keySet()));
      }
      objects.add(ObjectTypes.read(type, options));
    }
    return objects;
  }

  private void add(ObjectOption object) throws OptionException {
    claimId(OPTION, object.id());
    switch (object) {
      case IoThreadOption ioThread -> ioThreads.add(ioThread);
      case ThrottleGroupOption group -> throttleGroups.add(group);
      case ObjectOption.Other(UserObject other) -> others.add(other);
    }
  }

  /**
   * Notes the id of something that shares the objects' names.
   *
   * @throws OptionException if it is no id, or taken
   */
  void claimId(String option, String id) throws OptionException {
    ObjectTypes.checkId(option, id);
    if (!ids.add(id)) {
      throw new OptionException(option + ": duplicate id '" + id + "'");
    }
  }
}
