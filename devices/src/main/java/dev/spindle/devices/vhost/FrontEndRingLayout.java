// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static dev.spindle.devices.virtio.RingFormat.DESCRIPTOR_SIZE;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.RingFormat;

/**
 * How much of what a queue has in memory: first its ring and what goes with each request, then the
 * chunks that data take on their way.
 *
 * @param queueSize requests at once
 * @param segments the most pieces of data in a request
 * @param smallBytes of a chunk for short requests, of which there is one for each request
 * @param largeBytes of a chunk for long ones
 */
record FrontEndRingLayout(int queueSize, int segments, int smallBytes, int largeBytes) {
  static final int HEADER_BYTES = 16;
  static final int RANGE_BYTES = 16;

  /** Header and status. */
  static final int OTHER_SEGMENTS = 2;

  /** As many as Linux's own driver has, and most back ends take. */
  private static final int MOST_SEGMENTS = 126;

  private static final int LARGE_CHUNKS = 64;
  private static final int PAGE = (int) GuestMemory.PAGE_SIZE;

  static FrontEndRingLayout of(FrontEndDisk disk, int queueSize) {
    int segments =
        Math.min(Math.min(disk.maxSegments(), MOST_SEGMENTS), queueSize - OTHER_SEGMENTS);
    int small = Math.max(PAGE, disk.blockSize());
    return new FrontEndRingLayout(
        queueSize,
        segments,
        Math.min(small, disk.maxSegmentBytes()),
        Math.min(128 << 10, disk.maxSegmentBytes()));
  }

  int maxChain() {
    return segments + OTHER_SEGMENTS;
  }

  int chunks() {
    return queueSize + LARGE_CHUNKS;
  }

  /** Of a chunk by its number; short ones come first. */
  int chunkBytes(int chunk) {
    return chunk < queueSize ? smallBytes : largeBytes;
  }

  /** Where a chunk is, from the first one on. */
  long chunkAt(int chunk) {
    return chunk < queueSize
        ? (long) chunk * smallBytes
        : (long) queueSize * smallBytes + (long) (chunk - queueSize) * largeBytes;
  }

  /** Before the chunks: pages. */
  long controlBytes() {
    long each = DESCRIPTOR_SIZE * (1L + maxChain()) + HEADER_BYTES + RANGE_BYTES + 1;
    long rings = RingFormat.availSize(queueSize) + RingFormat.usedSize(queueSize);
    // What alignment takes is less than a page.
    return pages(each * queueSize + rings + PAGE);
  }

  /** Where the zeroes are that are written by hand: a chunk that nobody writes to. */
  long zeroesAt() {
    return controlBytes() + chunkAt(chunks());
  }

  /** All together: pages. */
  long bytes() {
    return pages(zeroesAt() + largeBytes);
  }

  private static long pages(long bytes) {
    return (bytes + PAGE - 1) & -PAGE;
  }
}
