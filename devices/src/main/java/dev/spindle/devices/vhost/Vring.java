// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.virtio.SplitVirtqueue;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.VirtqueueConfig;
import dev.spindle.devices.virtio.VirtqueueException;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.uring.PeerEvent;
import java.io.UncheckedIOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a front end has said about one queue, and the queue while it works. Control side. */
final class Vring {
  private static final Logger LOG = LoggerFactory.getLogger(Vring.class);

  final int index;
  final CallEnd call = new CallEnd();
  int size;

  /** Null until the front end tells. */
  VringAddress address;

  /** The next entry of the available ring to look at. */
  int base;

  /** Null until the front end starts the queue. */
  EventFd kick;

  /** Where errors are signalled, or null. */
  EventFd error;

  boolean enabled;

  /** Null unless the queue works. */
  SplitVirtqueue ring;

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
  SplitVirtqueue make(ClientMemory memory, long features, int mostDescriptors)
      throws VhostUserException {
    VirtqueueConfig config =
        new VirtqueueConfig(
            index,
            size,
            mostDescriptors,
            guestAddress(memory, "descriptor table", address.descriptors()),
            guestAddress(memory, "available ring", address.available()),
            guestAddress(memory, "used ring", address.used()));
    SplitVirtqueue made;
    try {
      made = (SplitVirtqueue) Virtqueue.create(memory, config, features);
    } catch (VirtqueueException e) {
      throw new VhostUserException(e.getMessage(), e);
    }
    made.resume(base);
    return made;
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

  /** The guest-physical address by which writes to the used ring are logged, or -1. */
  long usedRingLog() {
    return address != null && (address.flags() & VringAddress.LOG) != 0 ? address.log() : -1;
  }

  /** Ends what works: the next to work goes on where this one stopped. */
  void stopped() {
    base = ring.availIndex();
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
