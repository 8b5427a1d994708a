// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.virtio.DescriptorChain;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.SplitVirtqueue;
import dev.spindle.devices.virtio.blk.QueueTracker;

/**
 * Notes a queue's requests for the next back end, and what they write for a guest that migrates.
 */
final class VringTracker implements QueueTracker {
  private final SplitVirtqueue ring;
  private final ClientMemory memory;

  /** Null if the front end wants none. */
  private final InflightLog inflight;

  /** Null while the guest does not migrate. Written while the queue works. */
  private volatile DirtyLog dirty;

  /** Where the used ring is to be marked, or -1. */
  private volatile long usedRing = -1;

  VringTracker(SplitVirtqueue ring, ClientMemory memory, InflightLog inflight) {
    this.ring = ring;
    this.memory = memory;
    this.inflight = inflight;
  }

  /**
   * Begins, changes or ends the noting of writes. Any thread; what is being written meanwhile is
   * noted or not.
   *
   * @param log null to end
   * @param usedRingAddress guest-physical address by which the used ring is marked, or -1
   */
  void setDirtyLog(DirtyLog log, long usedRingAddress) {
    usedRing = usedRingAddress;
    dirty = log;
  }

  @Override
  public void taken(DescriptorChain chain) {
    if (inflight != null) {
      inflight.taken(chain.id());
    }
  }

  @Override
  public void finished(DescriptorChain chain, long usedLength) {
    DirtyLog log = dirty;
    if (log != null) {
      // All of it: what a failed request has written is written all the same.
      for (int i = chain.readableCount(); i < chain.count(); i++) {
        log.mark(memory.guestAddressAt(chain.offset(i)), chain.length(i));
      }
    }
    if (inflight != null) {
      inflight.finished(chain.id());
    }
  }

  @Override
  public void published() {
    if (inflight != null) {
      inflight.published(ring.usedIndex());
    }
    DirtyLog log = dirty;
    long at = usedRing;
    if (log != null && at >= 0) {
      log.mark(at, RingFormat.usedSize(ring.size()));
    }
  }

  @Override
  public boolean mayVanish() {
    return memory.mayVanish();
  }

  @Override
  public void settle() {
    memory.settle();
  }
}
