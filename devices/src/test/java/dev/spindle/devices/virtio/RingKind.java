// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import java.util.ArrayList;
import java.util.List;

/** One of the eight kinds of virtqueue: what every test of queues runs over. */
record RingKind(boolean packed, boolean indirect, boolean eventIndex) {
  static List<RingKind> all() {
    List<RingKind> kinds = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      kinds.add(new RingKind((i & 1) != 0, (i & 2) != 0, (i & 4) != 0));
    }
    return kinds;
  }

  long features() {
    return VirtioFeatures.VERSION_1
        | (packed ? VirtioFeatures.RING_PACKED : 0)
        | (indirect ? VirtioFeatures.INDIRECT_DESC : 0)
        | (eventIndex ? VirtioFeatures.EVENT_IDX : 0);
  }

  @Override
  public String toString() {
    return (packed ? "packed" : "split")
        + (indirect ? ", indirect" : "")
        + (eventIndex ? ", event index" : "");
  }
}
