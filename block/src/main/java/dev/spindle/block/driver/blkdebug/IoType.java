// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.graph.BlockRequest;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** Which requests a rule is about (QAPI's BlkdebugIOType). */
enum IoType {
  READ,
  WRITE,
  WRITE_ZEROES,
  DISCARD,
  FLUSH,
  BLOCK_STATUS;

  /** What a rule is about that does not say. */
  static final Set<IoType> DEFAULT = EnumSet.complementOf(EnumSet.of(BLOCK_STATUS));

  static IoType of(BlockRequest.Operation operation) {
    return switch (operation) {
      case READ -> READ;
      case WRITE -> WRITE;
      case WRITE_ZEROES -> WRITE_ZEROES;
      case DISCARD -> DISCARD;
      case FLUSH -> FLUSH;
    };
  }

  private String qapiName() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  static String[] qapiNames() {
    return Arrays.stream(values()).map(IoType::qapiName).toArray(String[]::new);
  }

  static IoType of(String qapiName) {
    return valueOf(qapiName.toUpperCase(Locale.ROOT).replace('-', '_'));
  }
}
