// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.linux.EventFd;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A device's way from reset through negotiation to running and back (virtio 1.3, chapter 3 and
 * section 2.1), whatever the transport: the status field, the features, and the queues as
 * programmed.
 *
 * <p>The driver's accesses come from any vCPU thread and are ordered by this object's lock; what
 * the device reports comes from any thread and takes no lock that is ever held while waiting.
 */
final class DeviceLifecycle {
  private static final Logger LOG = LoggerFactory.getLogger(DeviceLifecycle.class);

  /** A guest may break its device again and again; beyond this the log has heard enough. */
  private static final int MAX_LOG_LINES = 20;

  private static final int DRIVER_BITS =
      DeviceStatus.ACKNOWLEDGE
          | DeviceStatus.DRIVER
          | DeviceStatus.FEATURES_OK
          | DeviceStatus.DRIVER_OK
          | DeviceStatus.FAILED;

  /** The transport, as far as it is told things. Any thread. */
  interface Connection {
    /** Interrupts the driver on behalf of a queue. */
    void interruptQueue(int index);

    /** Interrupts the driver because of the device as a whole. */
    void interruptConfig();

    /** The device has been reset: so are the transport's registers. Must not wait. */
    void wasReset();
  }

  private final String name;
  private final VirtioDevice device;
  private final GuestMemory memory;
  private final long offeredFeatures;
  private final EventFd[] kicks;
  private final Connection connection;
  private final QueueRegisters[] queues;

  /** Written with the lock held, but for NEEDS_RESET, which any thread may add. */
  private final AtomicInteger status = new AtomicInteger();

  /** Any thread. */
  private final AtomicInteger logLines = new AtomicInteger();

  // The rest is protected by the lock.
  private long driverFeatures;
  private Running running;

  /** Completed when the reset under way is done; null if there is none. */
  private CompletableFuture<Void> resetting;

  /** The last reset, after which no driver reaches the device any more; null before. */
  private CompletableFuture<Void> end;

  /** One activation: what the device reports through it counts until the reset that ends it. */
  private final class Running implements VirtioTransport {
    private boolean live = true;

    @Override
    public synchronized void needsReset(String reason) {
      if (live) {
        breakDown(reason);
      }
    }

    @Override
    public synchronized void configChanged() {
      if (live) {
        connection.interruptConfig();
      }
    }

    synchronized void end() {
      live = false;
    }
  }

  /**
   * Makes a device that has just been reset.
   *
   * @param name what the user calls the device
   * @param ringFeatures which of RING_PACKED, INDIRECT_DESC and EVENT_IDX to offer
   * @param kicks the queues' notifications, by index
   */
  DeviceLifecycle(
      String name,
      VirtioDevice device,
      GuestMemory memory,
      long ringFeatures,
      EventFd[] kicks,
      Connection connection) {
    this.name = name;
    this.device = device;
    this.memory = memory;
    this.offeredFeatures = device.features() | ringFeatures | VirtioFeatures.VERSION_1;
    this.kicks = kicks;
    this.connection = connection;
    this.queues = new QueueRegisters[device.queueCount()];
    for (int i = 0; i < queues.length; i++) {
      queues[i] = new QueueRegisters(i, device.maxQueueSize(i));
    }
  }

  VirtioDevice device() {
    return device;
  }

  int queueCount() {
    return queues.length;
  }

  long offeredFeatures() {
    return offeredFeatures;
  }

  /** A queue's registers, to read. Call with this object's lock held. */
  QueueRegisters queue(int index) {
    return queues[index];
  }

  synchronized long driverFeatures() {
    return driverFeatures;
  }

  /** The driver chooses its features, until it has said that they are agreed on. */
  synchronized void setDriverFeatures(long features) {
    if ((status.get() & DeviceStatus.FEATURES_OK) == 0) {
      driverFeatures = features;
    }
  }

  /**
   * The status field. While a reset is under way it keeps its old value; 0 says that the reset is
   * done.
   */
  int status() {
    return status.get();
  }

  /** The driver writes the status field: it adds bits, or resets the device by writing 0. */
  void writeStatus(int value) {
    if (value == 0) {
      reset();
    } else {
      addStatus(value & DRIVER_BITS);
    }
  }

  private synchronized void addStatus(int bits) {
    if (resetting != null || end != null) {
      return; // A driver has to wait until it reads 0 back.
    }
    int added = bits & ~status.get();
    addBits(added & (DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER));
    if ((added & DeviceStatus.FAILED) != 0) {
      addBits(DeviceStatus.FAILED);
      log("its driver has given up");
    }
    if ((added & DeviceStatus.FEATURES_OK) != 0) {
      agreeOnFeatures();
    }
    if ((added & DeviceStatus.DRIVER_OK) != 0) {
      start();
    }
  }

  private void addBits(int bits) {
    status.accumulateAndGet(bits, (old, more) -> old | more);
  }

  private void agreeOnFeatures() {
    if ((driverFeatures & VirtioFeatures.VERSION_1) != 0
        && (driverFeatures & ~offeredFeatures) == 0
        && device.accepts(driverFeatures)) {
      addBits(DeviceStatus.FEATURES_OK);
    } else {
      log("its driver's features 0x" + Long.toHexString(driverFeatures) + " are refused");
    }
  }

  private void start() {
    if ((status.get() & DeviceStatus.FEATURES_OK) == 0) {
      breakDown("its driver has started it without agreeing on features");
      return;
    }
    addBits(DeviceStatus.DRIVER_OK);
    running = new Running();
    try {
      DeviceQueue[] deviceQueues = new DeviceQueue[queues.length];
      for (int i = 0; i < queues.length; i++) {
        int index = i;
        if (queues[i].enabled) {
          Virtqueue ring = Virtqueue.create(memory, queues[i].config(), driverFeatures);
          deviceQueues[i] = new DeviceQueue(ring, kicks[i], () -> connection.interruptQueue(index));
        }
      }
      device.activate(new VirtioActivation(memory, driverFeatures, deviceQueues, running));
    } catch (VirtqueueException e) {
      running = null;
      breakDown(e.getMessage());
    } catch (RuntimeException e) {
      LOG.error("{}: cannot be activated", name, e);
      breakDown("it cannot be activated");
    }
  }

  /**
   * The driver programs a queue. Once the device runs, that is an error which only a reset ends;
   * the queues stay as they were.
   */
  synchronized void program(int index, Consumer<QueueRegisters> change) {
    if ((status.get() & DeviceStatus.DRIVER_OK) != 0) {
      breakDown("queue " + index + ": its driver reconfigures it while the device runs");
    } else if (resetting == null) {
      change.accept(queues[index]);
    }
  }

  /**
   * Stops the device and goes back to the beginning. May be called again while under way.
   *
   * @return completed when the device is quiet and the status reads 0; exceptionally if the device
   *     failed to come to rest, which leaves it as it was
   */
  synchronized CompletableFuture<Void> reset() {
    if (resetting != null) {
      return resetting;
    }
    CompletableFuture<Void> done = new CompletableFuture<>();
    resetting = done;
    quieten().whenComplete((nothing, failure) -> finishReset(done, failure));
    return done;
  }

  /** As {@link #reset}, for good: no driver starts the device again, and nobody resets it again. */
  synchronized CompletableFuture<Void> end() {
    if (end == null) {
      // Before the reset, which may be done on return.
      end = new CompletableFuture<>();
      reset()
          .whenComplete(
              (nothing, failure) -> {
                if (failure == null) {
                  end.complete(null);
                } else {
                  end.completeExceptionally(failure);
                }
              });
    }
    return end;
  }

  private CompletableFuture<Void> quieten() {
    try {
      return running == null ? CompletableFuture.completedFuture(null) : device.reset();
    } catch (RuntimeException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  private void finishReset(CompletableFuture<Void> done, Throwable failure) {
    if (failure != null) {
      // Not known to be quiet: then it must not look reset.
      LOG.error("{}: cannot be reset", name, failure);
      synchronized (this) {
        resetting = null;
      }
      done.completeExceptionally(failure);
      return;
    }
    synchronized (this) {
      if (running != null) {
        running.end();
        running = null;
      }
      for (QueueRegisters queue : queues) {
        queue.reset();
      }
      driverFeatures = 0;
      connection.wasReset();
      resetting = null;
      status.set(0);
    }
    done.complete(null);
  }

  private void breakDown(String reason) {
    int before = status.getAndAccumulate(DeviceStatus.NEEDS_RESET, (old, more) -> old | more);
    if ((before & DeviceStatus.NEEDS_RESET) != 0) {
      return;
    }
    log(reason + "; the device needs a reset");
    if ((before & DeviceStatus.DRIVER_OK) != 0) {
      connection.interruptConfig();
    }
  }

  private void log(String what) {
    int line = logLines.incrementAndGet();
    if (line < MAX_LOG_LINES) {
      LOG.warn("{}: {}", name, what);
    } else if (line == MAX_LOG_LINES) {
      LOG.warn("{}: {} (further faults of this device are not logged)", name, what);
    }
  }
}
