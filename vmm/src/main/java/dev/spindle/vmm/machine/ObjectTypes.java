// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.object.Secret;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.block.tls.X509Credentials;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;
import java.util.Map;
import java.util.TreeMap;

/** The types of objects that a user can make, and what reads their options. Any thread. */
public final class ObjectTypes {
  /** The option that says which type it is. */
  public static final String TAG = "qom-type";

  /** Reads what a user says of an object. */
  @FunctionalInterface
  private interface Kind {
    ObjectOption read(Options options) throws OptionException;
  }

  private static final Map<String, Kind> KINDS =
      new TreeMap<>(
          Map.of(
              IoThreadOption.TYPE,
              ObjectTypes::ioThread,
              ThrottleGroupOption.TYPE,
              ObjectTypes::throttleGroup,
              "secret",
              options -> new ObjectOption.Other(Secret.read(options)),
              X509Credentials.TYPE,
              options -> new ObjectOption.Other(X509Credentials.read(options))));

  private ObjectTypes() {}

  /** What reads the options of each type, the type itself apart; in the order of their names. */
  public static Map<String, OptionList.Reader> readers() {
    Map<String, OptionList.Reader> readers = new TreeMap<>();
    KINDS.forEach((type, kind) -> readers.put(type, kind::read));
    return readers;
  }

  /**
   * Reads all of an object's options.
   *
   * @param type one of {@link #readers}
   * @throws OptionException if one is missing, unknown or has no such value, or the id is none
   */
  public static ObjectOption read(String type, Options options) throws OptionException {
    ObjectOption read = KINDS.get(type).read(options);
    options.finish();
    return read;
  }

  /**
   * Refuses what is no id.
   *
   * @param owner how errors name the object
   */
  public static void checkId(String owner, String id) throws OptionException {
    if (!id.matches("[A-Za-z][A-Za-z0-9._-]*")) {
      throw new OptionException(
          owner + ": '" + id + "' is no id: a letter, then letters, digits, '-', '.' or '_'");
    }
  }

  private static ObjectOption ioThread(Options options) throws OptionException {
    return new IoThreadOption(options.require("id"), polling(options, ContextOptions.IOTHREAD));
  }

  /** An iothread's numbers: those that are given, and {@code otherwise} the others. */
  static ContextOptions polling(Options options, ContextOptions otherwise) throws OptionException {
    return new ContextOptions(
        options.number("poll-max-ns", otherwise.pollMaxNs(), 0, Long.MAX_VALUE),
        options.number("poll-grow", otherwise.pollGrow(), 0, Long.MAX_VALUE),
        options.number("poll-shrink", otherwise.pollShrink(), 0, Long.MAX_VALUE),
        options.number("aio-max-batch", otherwise.maxBatch(), 0, Long.MAX_VALUE));
  }

  private static ObjectOption throttleGroup(Options options) throws OptionException {
    return new ThrottleGroupOption(options.require("id"), ThrottleLimits.ofGroup(options));
  }
}
