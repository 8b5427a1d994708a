// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A device with two queues that gives every buffer back with its readable bytes copied; no threads.
 */
final class EchoDevice implements VirtioDevice {
  static final int TYPE = 42;
  static final long FEATURE = 1L << 5;
  static final long REFUSED_FEATURE = 1L << 6;
  static final int QUEUE_SIZE = 16;

  final VirtioConfigSpace config = new VirtioConfigSpace(12);
  final List<VirtioActivation> activations = new ArrayList<>();
  final DescriptorChain chain = new DescriptorChain();
  VirtioActivation active;
  int resets;

  /** What the next reset returns. */
  CompletableFuture<Void> quiet = CompletableFuture.completedFuture(null);

  RuntimeException failure;

  EchoDevice() {
    config.update(bytes -> bytes.putInt(0, 0x11223344).putLong(4, 0x8877665544332211L));
  }

  @Override
  public int deviceType() {
    return TYPE;
  }

  @Override
  public long features() {
    return FEATURE | REFUSED_FEATURE;
  }

  @Override
  public boolean accepts(long features) {
    return (features & REFUSED_FEATURE) == 0;
  }

  @Override
  public int queueCount() {
    return 2;
  }

  @Override
  public int maxQueueSize(int queue) {
    return QUEUE_SIZE;
  }

  @Override
  public VirtioConfigSpace configSpace() {
    return config;
  }

  @Override
  public void writeConfig(int offset, int size, long value) {
    if (offset == 0 && size == 4) {
      config.update(bytes -> bytes.putInt(0, (int) value));
    }
  }

  @Override
  public void activate(VirtioActivation activation) {
    if (failure != null) {
      throw failure;
    }
    active = activation;
    activations.add(activation);
  }

  @Override
  public CompletableFuture<Void> reset() {
    resets++;
    active = null;
    return quiet;
  }

  /** Serves a queue; returns how many buffers it had. */
  int serve(int index) {
    DeviceQueue queue = active.queue(index);
    int served = 0;
    try {
      while (queue.ring().pop(chain)) {
        byte[] bytes = new byte[(int) Math.min(chain.readableBytes(), chain.writableBytes())];
        chain.readBytes(0, bytes, 0, bytes.length);
        chain.writeBytes(0, bytes, 0, bytes.length);
        queue.ring().push(chain, bytes.length);
        served++;
      }
    } catch (VirtqueueException e) {
      active.needsReset(e.getMessage());
    }
    if (queue.ring().publish()) {
      queue.interrupt().raise();
    }
    return served;
  }
}
