// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.graph.SharedMemory;
import dev.spindle.linux.IoVector;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory of others that a back end can reach, so that requests on it need no copy. Never
 * changes; whoever adds to it makes another.
 */
final class SharedRegions {
  /** Nothing is shared. */
  static final SharedRegions NONE = new SharedRegions(List.of());

  /** How far apart they are: farther than any is long. Nothing of theirs is below this. */
  private static final long APART = 1L << 41;

  /** Room for the front end's own memory is left in a table. */
  static final int MOST = VhostUserPayload.MemoryTable.MOST_REGIONS - 1;

  /**
   * One of them.
   *
   * @param memory what is shared
   * @param address as in descriptors
   */
  record Region(SharedMemory memory, long address) {}

  private final List<Region> regions;

  private SharedRegions(List<Region> regions) {
    this.regions = List.copyOf(regions);
  }

  List<Region> list() {
    return regions;
  }

  /** The region of some memory, or null. */
  Region find(SharedMemory memory) {
    return regions.stream()
        .filter(region -> region.memory().equals(memory))
        .findFirst()
        .orElse(null);
  }

  /** With one more; null if there is no room. */
  SharedRegions with(SharedMemory memory) {
    for (int i = 1; i <= MOST; i++) {
      long address = i * APART;
      if (regions.stream().noneMatch(region -> region.address() == address)) {
        List<Region> more = new ArrayList<>(regions);
        more.add(new Region(memory, address));
        return new SharedRegions(more);
      }
    }
    return null;
  }

  /** Without one. */
  SharedRegions without(SharedMemory memory) {
    return new SharedRegions(
        regions.stream().filter(region -> !region.memory().equals(memory)).toList());
  }

  /** The address of a buffer for the back end, or -1 if it cannot reach all of it. */
  long addressOf(IoVector buffers, int index) {
    for (int i = 0; i < regions.size(); i++) {
      Region region = regions.get(i);
      long offset = buffers.offsetIn(index, region.memory().segment());
      if (offset >= 0) {
        return region.address() + offset;
      }
    }
    return -1;
  }

  /** Whether the back end can reach all buffers. */
  boolean reach(IoVector buffers) {
    for (int i = 0; i < buffers.count(); i++) {
      if (addressOf(buffers, i) < 0) {
        return false;
      }
    }
    return !regions.isEmpty();
  }
}
