// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/**
 * The sizes that a server wants requests to have.
 *
 * @param minimum what offsets and lengths must be multiples of: a power of two, 1 to 65536
 * @param preferred what they had better be multiples of: a power of two, at least 512
 * @param maximumPayload the most bytes in one request or reply
 */
public record BlockSizes(int minimum, int preferred, int maximumPayload) {
  /** What a client may count on if it does not ask: blocks of 1 byte, 32 MiB at most. */
  public static final BlockSizes DEFAULT = new BlockSizes(1, 4096, 32 << 20);
}
