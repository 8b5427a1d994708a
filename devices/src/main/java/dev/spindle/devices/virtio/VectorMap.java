// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Which MSI-X vector each of a device's events goes to (virtio 1.3, section 4.1.5.1.2). A driver
 * may change that at any time: the next event goes where it says. Any thread.
 */
final class VectorMap {
  /** An event without a vector (VIRTIO_MSI_NO_VECTOR). */
  static final int NONE = 0xffff;

  private final int vectorCount;

  /** The queues' vectors, then that of configuration changes. */
  private final AtomicIntegerArray vectors;

  VectorMap(int queueCount, int vectorCount) {
    this.vectorCount = vectorCount;
    this.vectors = new AtomicIntegerArray(queueCount + 1);
    reset();
  }

  void reset() {
    for (int i = 0; i < vectors.length(); i++) {
      vectors.set(i, NONE);
    }
  }

  int queue(int index) {
    return vectors.get(index);
  }

  int config() {
    return vectors.get(vectors.length() - 1);
  }

  void setQueue(int index, int vector) {
    vectors.set(index, valid(vector));
  }

  void setConfig(int vector) {
    vectors.set(vectors.length() - 1, valid(vector));
  }

  /** A vector that is not there reads back as none: so the driver learns of it. */
  private int valid(int vector) {
    return vector < vectorCount ? vector : NONE;
  }
}
