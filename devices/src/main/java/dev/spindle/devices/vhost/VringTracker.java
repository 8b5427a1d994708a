// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.virtio.DescriptorChain;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.blk.QueueTracker;

/**
 * Notes a queue's requests for the next back end, and what they write for a guest that migrates.
 */
final class VringTracker implements QueueTracker {
  private final ClientMemory memory;

  /** Null if the front end wants none. */
  private final RequestLog inflight;

  /** Null while the guest does not migrate. Written while the queue works. */
  private volatile DirtyLog dirty;

  /** What is to be marked besides, whenever something is published. */
  private volatile Written written = Written.NOTHING;

  /**
   * What a queue itself writes to.
   *
   * @param ring guest-physical address, or -1 for nothing
   * @param ringBytes from there on
   * @param events guest-physical address of the device event suppression structure, or -1 for none
   */
  record Written(long ring, long ringBytes, long events) {
    static final Written NOTHING = new Written(-1, 0, -1);
  }

  VringTracker(ClientMemory memory, RequestLog inflight) {
    this.memory = memory;
    this.inflight = inflight;
  }

  /**
   * Begins, changes or ends the noting of writes. Any thread; what is being written meanwhile is
   * noted or not.
   *
   * @param log null to end
   * @param besides marked whenever something is published
   */
  void setDirtyLog(DirtyLog log, Written besides) {
    written = besides;
    dirty = log;
  }

  @Override
  public void taken(DescriptorChain chain) {
    if (inflight != null) {
      inflight.taken(chain);
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
      inflight.finished(chain);
    }
  }

  @Override
  public void published() {
    if (inflight != null) {
      inflight.published();
    }
    DirtyLog log = dirty;
    if (log != null) {
      Written besides = written;
      log.mark(besides.ring, besides.ringBytes);
      log.mark(besides.events, RingFormat.EVENT_SUPPRESSION_SIZE);
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
