// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.object.Secret;
import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.block.tls.X509Credentials;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

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

  /** Reads what a user says of an object that others refer to by its id. */
  @FunctionalInterface
  private interface UserObjectReader {
    UserObject read(Options options) throws OptionException;
  }

  private static final Map<String, UserObjectReader> OTHER_KINDS =
      Map.of("secret", Secret::read, X509Credentials.TYPE, X509Credentials::read);

  /** The types of {@code --object}, and what reads their options. */
  static final Map<String, OptionList.Reader> KINDS = kinds();

  private static Map<String, OptionList.Reader> kinds() {
    Map<String, OptionList.Reader> kinds = new TreeMap<>();
    kinds.put("iothread", ObjectOptions::ioThread);
    kinds.put("throttle-group", ObjectOptions::throttleGroup);
    OTHER_KINDS.forEach((name, reader) -> kinds.put(name, reader::read));
    return kinds;
  }

  /**
   * Reads the arguments.
   *
   * @throws OptionException if one is wrong, or an id is given twice
   */
  static ObjectOptions parse(List<String> arguments) throws OptionException {
    ObjectOptions objects =
        new ObjectOptions(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new HashSet<>());
    for (String argument : arguments) {
      Options options = KeyValueOptions.parse(OPTION, argument, "qom-type");
      String type = options.require("qom-type");
      if (!KINDS.containsKey(type)) {
        throw new OptionException(OptionHelp.unknown(OPTION, "type", type, KINDS.keySet()));
      }
      objects.add(type, options);
    }
    return objects;
  }

  private void add(String type, Options options) throws OptionException {
    String id;
    switch (type) {
      case "iothread" -> {
        ioThreads.add(ioThread(options));
        id = ioThreads.getLast().id();
      }
      case "throttle-group" -> {
        throttleGroups.add(throttleGroup(options));
        id = throttleGroups.getLast().id();
      }
      default -> {
        others.add(OTHER_KINDS.get(type).read(options));
        id = others.getLast().id();
      }
    }
    claimId(OPTION, id);
    options.finish();
  }

  private static IoThreadOption ioThread(Options options) throws OptionException {
    ContextOptions defaults = ContextOptions.IOTHREAD;
    return new IoThreadOption(
        options.require("id"),
        new ContextOptions(
            options.number("poll-max-ns", defaults.pollMaxNs(), 0, Long.MAX_VALUE),
            options.number("poll-grow", defaults.pollGrow(), 0, Long.MAX_VALUE),
            options.number("poll-shrink", defaults.pollShrink(), 0, Long.MAX_VALUE),
            options.number("aio-max-batch", defaults.maxBatch(), 0, Long.MAX_VALUE)));
  }

  private static ThrottleGroupOption throttleGroup(Options options) throws OptionException {
    return new ThrottleGroupOption(options.require("id"), ThrottleLimits.ofGroup(options));
  }

  /**
   * Notes the id of something that shares the objects' names.
   *
   * @throws OptionException if it is no id, or taken
   */
  void claimId(String option, String id) throws OptionException {
    if (!id.matches("[A-Za-z][A-Za-z0-9._-]*")) {
      throw new OptionException(
          option + ": '" + id + "' is no id: a letter, then letters, digits, '-', '.' or '_'");
    }
    if (!ids.add(id)) {
      throw new OptionException(option + ": duplicate id '" + id + "'");
    }
  }
}
