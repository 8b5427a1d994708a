// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * What a node takes without a detour; bytes, powers of two.
 *
 * @param requestAlignment offsets and lengths that are no multiple of this cost a read-modify-write
 * @param memoryAlignment buffers whose addresses are no multiple of this are copied
 */
public record BlockLimits(int requestAlignment, int memoryAlignment) {
  /** A node with no wishes. */
  public static final BlockLimits NONE = new BlockLimits(1, 1);
}
