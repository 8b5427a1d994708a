// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * How a node uses the host's page cache: QAPI's BlockdevCacheInfo, as far as it is a node's.
 *
 * @param direct past it ({@code cache.direct})
 * @param noFlush flushes do nothing ({@code cache.no-flush})
 */
public record CacheUse(boolean direct, boolean noFlush) {
  /** No special way. */
  public static final CacheUse NORMAL = new CacheUse(false, false);
}
