// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.driver;

import dev.spindle.devices.virtio.DeviceQueue;
import dev.spindle.devices.virtio.VirtioActivation;
import dev.spindle.devices.virtio.VirtioDevice;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.VirtioTransport;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.VirtqueueException;
import dev.spindle.linux.EventFd;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * A guest's driver of one virtio device, without guest and PCI: sets the device up, kicks its
 * queues through eventfds as KVM's ioeventfds do, and takes its interrupts.
 *
 * <p>Each queue is for one thread at a time. With event index or without, in a split or a packed
 * ring, with indirect descriptors or without: the features given at the start decide.
 */
public final class GuestDriver implements VirtioTransport, AutoCloseable {
  private static final class QueueEnd {
    final DriverQueue queue;
    final EventFd kick;
    final AtomicInteger interrupts = new AtomicInteger();
    volatile Thread waiter;

    QueueEnd(DriverQueue queue, EventFd kick) {
      this.queue = queue;
      this.kick = kick;
    }

    void interrupt() {
      interrupts.incrementAndGet();
      Thread thread = waiter;
      if (thread != null) {
        LockSupport.unpark(thread);
      }
    }
  }

  /** As long as a Linux guest's idle CPU polls before it halts (guest_halt_poll_ns). */
  private static final long HALT_POLL_NS = 200_000;

  private final VirtioDevice device;
  private final long features;
  private final QueueEnd[] ends;
  private final AtomicReference<String> resetReason = new AtomicReference<>();
  private final AtomicInteger configChanges = new AtomicInteger();

  private GuestDriver(VirtioDevice device, long features, QueueEnd[] ends) {
    this.device = device;
    this.features = features;
    this.ends = ends;
  }

  /**
   * Sets the device up and activates it.
   *
   * @param area where the rings go
   * @param ringFeatures which of RING_PACKED, INDIRECT_DESC and EVENT_IDX to use
   * @param deviceFeatures which of the device's own features to accept; those it does not offer are
   *     left out
   * @param queues how many of its queues to use, from the first
   * @param queueSize descriptors of each
   */
  public static GuestDriver start(
      VirtioDevice device,
      GuestArea area,
      long ringFeatures,
      long deviceFeatures,
      int queues,
      int queueSize)
      throws IOException {
    long features = VirtioFeatures.VERSION_1 | ringFeatures | (device.features() & deviceFeatures);
    if (!device.accepts(features)) {
      throw new IOException("the device refuses features 0x" + Long.toHexString(features));
    }
    QueueEnd[] ends = new QueueEnd[queues];
    DeviceQueue[] deviceQueues = new DeviceQueue[device.queueCount()];
    for (int i = 0; i < queues; i++) {
      int maxChain = device.maxQueueSize(i);
      DriverQueue queue = DriverQueue.create(area, i, queueSize, maxChain, features);
      QueueEnd end = new QueueEnd(queue, EventFd.create());
      ends[i] = end;
      try {
        Virtqueue ring = Virtqueue.create(area.memory(), queue.config(), features);
        deviceQueues[i] = new DeviceQueue(ring, end.kick, end::interrupt);
      } catch (VirtqueueException e) {
        throw new IOException(e);
      }
    }
    GuestDriver driver = new GuestDriver(device, features, ends);
    device.activate(new VirtioActivation(area.memory(), features, deviceQueues, driver));
    return driver;
  }

  /** What was agreed on. */
  public long features() {
    return features;
  }

  /** The driver's side of a queue. */
  public DriverQueue queue(int index) {
    return ends[index].queue;
  }

  /** Publishes what has been submitted to a queue, and kicks the device if it wants that. */
  public void kick(int index) {
    if (ends[index].queue.publish()) {
      ends[index].kick.signal();
    }
  }

  /** How many interrupts a queue has raised. Any thread. */
  public int interrupts(int index) {
    return ends[index].interrupts.get();
  }

  /**
   * Asks for an interrupt and waits until the queue has used buffers: looks out for the interrupt
   * for {@value #HALT_POLL_NS} ns, then sleeps.
   */
  public void awaitUsed(int index) {
    QueueEnd end = ends[index];
    while (!end.queue.enableInterrupts() && resetReason.get() == null) {
      int seen = end.interrupts.get();
      if (end.queue.hasUsed()) {
        break;
      }
      pollFor(end, seen);
      sleepFor(end, seen);
    }
    end.queue.disableInterrupts();
  }

  private void pollFor(QueueEnd end, int seen) {
    long start = System.nanoTime();
    while (end.interrupts.get() == seen
        && resetReason.get() == null
        && System.nanoTime() - start < HALT_POLL_NS) {
      // KVM's halt polling likewise makes way for whoever else wants the CPU: the device, perhaps.
      Thread.yield();
    }
  }

  private void sleepFor(QueueEnd end, int seen) {
    end.waiter = Thread.currentThread();
    while (end.interrupts.get() == seen && resetReason.get() == null) {
      LockSupport.park(this);
    }
    end.waiter = null;
  }

  /** Why the device needs a reset, or null if it does not. Any thread. */
  public String resetReason() {
    return resetReason.get();
  }

  /** How often the device has announced a change of its configuration. Any thread. */
  public int configChanges() {
    return configChanges.get();
  }

  @Override
  public void needsReset(String reason) {
    resetReason.compareAndSet(null, reason);
    for (QueueEnd end : ends) {
      Thread thread = end.waiter;
      if (thread != null) {
        LockSupport.unpark(thread);
      }
    }
  }

  @Override
  public void configChanged() {
    configChanges.incrementAndGet();
  }

  /** Resets the device, waits until it is quiet, and closes the eventfds. */
  @Override
  public void close() {
    device.reset().join();
    for (QueueEnd end : ends) {
      end.kick.close();
    }
  }
}
