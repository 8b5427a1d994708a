// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.util.Optional;

/**
 * How a tool's writes get to the disk, by the names that QEMU's tools have for it.
 *
 * @param direct past the host's page cache
 * @param writeThrough each write is durable before it is done
 * @param noFlush nothing is ever made durable on purpose
 */
public record CacheMode(boolean direct, boolean writeThrough, boolean noFlush) {
  /** Durable when flushed. */
  public static final CacheMode WRITEBACK = new CacheMode(false, false, false);

  /** For what can be made again. */
  public static final CacheMode UNSAFE = new CacheMode(false, false, true);

  /** Finds a mode by name. */
  public static Optional<CacheMode> of(String name) {
    return Optional.ofNullable(
        switch (name) {
          case "none", "off" -> new CacheMode(true, false, false);
          case "directsync" -> new CacheMode(true, true, false);
          case "writeback" -> WRITEBACK;
          case "unsafe" -> UNSAFE;
          case "writethrough" -> new CacheMode(false, true, false);
          default -> null;
        });
  }
}
