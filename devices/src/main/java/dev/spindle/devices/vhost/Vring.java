// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.virtio.PackedVirtqueue;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.SplitVirtqueue;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.VirtqueueConfig;
import dev.spindle.devices.virtio.VirtqueueException;
import dev.spindle.devices.virtio.VirtqueueState;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.uring.PeerEvent;
import java.io.UncheckedIOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a front end has said about one queue, and the queue while it works. Control side. */
final class Vring {
  /** Of half a base: the wrap counter. */
  private static final int WRAP = 1 << 15;

  private static final Logger LOG = LoggerFactory.getLogger(Vring.class);

  final int index;
  final CallEnd call = new CallEnd();
  int size;

  /** Null until the front end tells. */
  VringAddress address;

  /**
   * Where to begin. Split: the next entry of the available ring to look at. Packed: that in the low
   * half and the next entry to use in the high one, each with its wrap counter in the top bit.
   */
  int base;

  /** Null until the front end starts the queue. */
  EventFd kick;

  /** Where errors are signalled, or null. */
  EventFd error;

  boolean enabled;

  /** Null unless the queue works. */
  Virtqueue ring;

  /** Null unless the queue works. */
  VringTracker tracker;

  Vring(int index) {
    this.index = index;
  }

  /** Whether all is there that the queue needs in order to work. */
  boolean isReady() {
    return enabled && kick != null && address != null && size > 0;
  }

  /** Whether it works. */
  boolean isWorking() {
    return ring != null;
  }

  /**
   * Makes the device's side of the ring where the front end says that it is.
   *
   * @param mostDescriptors the longest chain
   * @throws VhostUserException if the ring cannot be there
   */
  Virtqueue make(ClientMemory memory, long features, int mostDescriptors)
      throws VhostUserException {
    VirtqueueConfig config =
        new VirtqueueConfig(
            index,
            size,
            mostDescriptors,
            guestAddress(memory, "descriptor table", address.descriptors()),
            guestAddress(memory, "available ring", address.available()),
            guestAddress(memory, "used ring", address.used()));
    try {
      Virtqueue made = Virtqueue.create(memory, config, features);
      switch (made) {
        case SplitVirtqueue split -> split.resume(base);
        case PackedVirtqueue packed -> packed.restore(packedState(base));
      }
      return made;
    } catch (VirtqueueException e) {
      throw new VhostUserException(e.getMessage(), e);
    } catch (IllegalArgumentException e) {
      throw new VhostUserException(
          "queue %d cannot begin at 0x%x".formatted(index, Integer.toUnsignedLong(base)), e);
    }
  }

  private static VirtqueueState packedState(int base) {
    int used = base >>> 16;
    return new VirtqueueState(base & 0x7fff, (base & WRAP) != 0, used & 0x7fff, (used & WRAP) != 0);
  }

  private static int packedBase(VirtqueueState state) {
    int available = state.availIndex() | (state.availWrap() ? WRAP : 0);
    int used = state.usedIndex() | (state.usedWrap() ? WRAP : 0);
    return used << 16 | available;
  }

  private long guestAddress(ClientMemory memory, String what, long userAddress)
      throws VhostUserException {
    long address = memory.guestAddressOf(userAddress);
    if (address < 0) {
      throw new VhostUserException(
          "queue %d has its %s at 0x%x, where no memory is".formatted(index, what, userAddress));
    }
    return address;
  }

  /**
   * What the queue itself writes to, as guest-physical addresses for the log of written pages.
   * Empty if the front end does not want that logged.
   */
  VringTracker.Written writtenRanges(ClientMemory memory) {
    if (address == null || (address.flags() & VringAddress.LOG) == 0) {
      return VringTracker.Written.NOTHING;
    }
    if (ring instanceof PackedVirtqueue) {
      // The address for the log is that of a used ring, which this has not.
      return new VringTracker.Written(
          memory.guestAddressOf(address.descriptors()),
          (long) RingFormat.DESCRIPTOR_SIZE * size,
          memory.guestAddressOf(address.used()));
    }
    return new VringTracker.Written(address.log(), RingFormat.usedSize(size), -1);
  }

  /** Ends what works: the next to work goes on where this one stopped. */
  void stopped() {
    base =
        switch (ring) {
          case SplitVirtqueue split -> split.availIndex();
          case PackedVirtqueue packed -> packedBase(packed.state());
        };
    ring = null;
    tracker = null;
  }

  /** Closes its eventfds. It does not work. */
  void closeFiles() {
    setKick(null);
    PeerEvent former = call.exchange(null);
    if (former != null) {
      former.close();
    }
    setError(null);
  }

  /** Exchanges the kick of a queue that does not work; null for none. */
  void setKick(EventFd next) {
    if (kick != null) {
      kick.close();
    }
    kick = next;
  }

  /** Tells the client that the queue has failed, if it wants to know. */
  void signalError() {
    if (error != null) {
      try (PeerEvent once = PeerEvent.of(error)) {
        once.signal();
      } catch (LinuxException | UncheckedIOException e) {
        LOG.debug("queue {}: its client is not told of an error: {}", index, e.getMessage());
      }
    }
  }

  /** Exchanges where errors are signalled; null for nowhere. */
  void setError(EventFd next) {
    if (error != null) {
      error.close();
    }
    error = next;
  }
}
