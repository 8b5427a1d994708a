// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What a user says of a vhost-user-blk export (QAPI's BlockExportOptionsVhostUserBlk).
 *
 * @param address where it listens
 * @param queues 1 to {@link #MOST_QUEUES}
 * @param logicalBlockSize bytes, a power of two from 512 on
 * @param unsealedMemory whether clients are trusted not to cut off the memory that they share
 */
record VhostUserBlkOptions(
    Address address, int queues, int logicalBlockSize, boolean unsealedMemory) {
  /** A message names a queue by one byte. */
  static final int MOST_QUEUES = 256;

  private static final int LEAST_BLOCK = 512;
  private static final int MOST_BLOCK = 65536;

  /** Where an export listens. */
  sealed interface Address {
    /** At a path of its own. */
    record Unix(Path path) implements Address {}

    /** At a socket that listens already, and that whoever started this process has opened. */
    record Inherited(int descriptor) implements Address {}
  }

  static VhostUserBlkOptions take(Options options) throws OptionException {
    Options addr = options.nested("addr");
    String type = addr.choice("type", "unix", "unix", "fd");
    Optional<String> path = addr.string("path");
    Optional<String> descriptor = addr.string("str");
    addr.finish();
    int queues = (int) options.number("num-queues", 1, 1, MOST_QUEUES);
    long block = options.size("logical-block-size", LEAST_BLOCK);
    boolean unsealed = options.bool("unsealed-memory", false);
    if (options.isNoting()) {
      return new VhostUserBlkOptions(new Address.Inherited(0), queues, LEAST_BLOCK, unsealed);
    }
    if (block < LEAST_BLOCK || block > MOST_BLOCK || Long.bitCount(block) != 1) {
      throw new OptionException(
          options.owner()
              + ": parameter 'logical-block-size' must be a power of 2 between "
              + LEAST_BLOCK
              + " and "
              + MOST_BLOCK);
    }
    return new VhostUserBlkOptions(
        address(addr, type, path, descriptor), queues, (int) block, unsealed);
  }

  private static Address address(
      Options addr, String type, Optional<String> path, Optional<String> descriptor)
      throws OptionException {
    boolean unix = type.equals("unix");
    Optional<String> given = unix ? path : descriptor;
    Optional<String> other = unix ? descriptor : path;
    if (given.isEmpty() || given.get().isEmpty()) {
      throw addr.missing(unix ? "path" : "str");
    }
    if (other.isPresent()) {
      throw new OptionException(
          addr.owner()
              + ": a socket of type "
              + type
              + " has no '"
              + (unix ? "str" : "path")
              + "'");
    }
    if (unix) {
      return new Address.Unix(Path.of(given.get()));
    }
    try {
      int number = Integer.parseInt(given.get());
      if (number > 2) {
        return new Address.Inherited(number);
      }
    } catch (NumberFormatException e) {
      // The sentence below says it.
    }
    throw new OptionException(
        addr.owner() + ": parameter 'str' is '" + given.get() + "', expected a file descriptor");
  }
}
