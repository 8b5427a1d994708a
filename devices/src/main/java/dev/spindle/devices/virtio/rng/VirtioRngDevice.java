// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.rng;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.FdWatch;
import dev.spindle.devices.virtio.DescriptorChain;
import dev.spindle.devices.virtio.DeviceQueue;
import dev.spindle.devices.virtio.VirtioActivation;
import dev.spindle.devices.virtio.VirtioConfigSpace;
import dev.spindle.devices.virtio.VirtioDevice;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.VirtqueueException;
import java.security.SecureRandom;
import java.util.concurrent.CompletableFuture;

/**
 * An entropy device (virtio 1.3, section 5.4): whatever buffers the driver offers are filled from
 * the host's random numbers, so that a guest does not wait for its own.
 */
public final class VirtioRngDevice implements VirtioDevice {
  private static final int DEVICE_TYPE = 4;
  private static final int QUEUE_SIZE = 64;

  /** A driver gets what it asks for up to this, and asks again. */
  private static final int MAX_BYTES = 4096;

  /**
   * After so many requests others on the context have their turn: a driver may never stop asking.
   */
  private static final int REQUESTS_PER_TURN = 8;

  private final AioContext context;
  private final SecureRandom random = new SecureRandom();
  private final VirtioConfigSpace configSpace = new VirtioConfigSpace(0);

  // The rest belongs to the context.
  private final DescriptorChain chain = new DescriptorChain();
  private final byte[] bytes = new byte[MAX_BYTES];
  private VirtioActivation activation;
  private FdWatch watch;
  private boolean serving;

  /**
   * Makes a device.
   *
   * @param context where its queue is served
   */
  public VirtioRngDevice(AioContext context) {
    this.context = context;
  }

  @Override
  public int deviceType() {
    return DEVICE_TYPE;
  }

  @Override
  public long features() {
    return 0;
  }

  @Override
  public int queueCount() {
    return 1;
  }

  @Override
  public int maxQueueSize(int queue) {
    return QUEUE_SIZE;
  }

  @Override
  public VirtioConfigSpace configSpace() {
    return configSpace;
  }

  @Override
  public void activate(VirtioActivation newActivation) {
    if (newActivation.queue(0) != null) {
      context.execute(() -> start(newActivation));
    }
  }

  private void start(VirtioActivation newActivation) {
    activation = newActivation;
    watch = context.watch(newActivation.queue(0).kick().fd(), this::serve);
    serve();
  }

  private void serve() {
    if (activation == null || serving) {
      return;
    }
    DeviceQueue queue = activation.queue(0);
    Virtqueue ring = queue.ring();
    boolean more = true;
    try {
      for (int i = 0; i < REQUESTS_PER_TURN && more; i++) {
        more = ring.pop(chain);
        if (more) {
          ring.push(chain, fill());
        } else {
          more = ring.enableNotifications();
        }
      }
    } catch (VirtqueueException e) {
      activation.needsReset(e.getMessage());
      return;
    }
    if (ring.publish()) {
      queue.interrupt().raise();
    }
    if (more) {
      serving = true;
      context.execute(this::serveAgain);
    }
  }

  private void serveAgain() {
    serving = false;
    serve();
  }

  private int fill() {
    random.nextBytes(bytes);
    int length = (int) Math.min(chain.writableBytes(), MAX_BYTES);
    chain.writeBytes(0, bytes, 0, length);
    return length;
  }

  @Override
  public CompletableFuture<Void> reset() {
    CompletableFuture<Void> quiet = new CompletableFuture<>();
    context.execute(() -> stop(quiet));
    return quiet;
  }

  private void stop(CompletableFuture<Void> quiet) {
    activation = null;
    if (watch == null) {
      quiet.complete(null);
      return;
    }
    FdWatch ended = watch;
    watch = null;
    ended.end(() -> quiet.complete(null));
  }
}
