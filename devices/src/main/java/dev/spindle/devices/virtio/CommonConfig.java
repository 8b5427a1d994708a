// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.devices.bus.BusDevice;

/**
 * The common configuration structure (virtio 1.3, section 4.1.4.3): registers by which a driver
 * sees and programs a {@link DeviceLifecycle}.
 */
final class CommonConfig implements BusDevice {
  static final int SIZE = 64;

  static final int DEVICE_FEATURE_SELECT = 0;
  static final int DEVICE_FEATURE = 4;
  static final int DRIVER_FEATURE_SELECT = 8;
  static final int DRIVER_FEATURE = 12;
  static final int CONFIG_VECTOR = 16;
  static final int NUM_QUEUES = 18;
  static final int STATUS = 20;
  static final int CONFIG_GENERATION = 21;
  static final int QUEUE_SELECT = 22;
  static final int QUEUE_SIZE = 24;
  static final int QUEUE_VECTOR = 26;
  static final int QUEUE_ENABLE = 28;
  static final int QUEUE_NOTIFY_OFF = 30;
  static final int QUEUE_DESC = 32;
  static final int QUEUE_DRIVER = 40;
  static final int QUEUE_DEVICE = 48;

  private final DeviceLifecycle lifecycle;
  private final VectorMap vectors;

  // Protected by the lifecycle's lock.
  private int deviceFeatureSelect;
  private int driverFeatureSelect;
  private int queueSelect;

  CommonConfig(DeviceLifecycle lifecycle, VectorMap vectors) {
    this.lifecycle = lifecycle;
    this.vectors = vectors;
  }

  @Override
  public long read(long offset, int size) {
    // No register changes by being read, so an access of any width is a matter of picking bytes.
    long value = 0;
    synchronized (lifecycle) {
      for (int i = 0; i < size; i++) {
        value |= byteAt((int) offset + i) << (8 * i);
      }
    }
    return value;
  }

  private long byteAt(int offset) {
    int register = registerAt(offset);
    return register(register) >>> (8 * (offset - register)) & 0xff;
  }

  private static int registerAt(int offset) {
    if (offset < CONFIG_VECTOR) {
      return offset & ~3;
    }
    if (offset >= STATUS && offset < QUEUE_SELECT) {
      return offset;
    }
    return offset < QUEUE_DESC ? offset & ~1 : offset & ~7;
  }

  private long register(int register) {
    return switch (register) {
      case DEVICE_FEATURE_SELECT -> deviceFeatureSelect;
      case DEVICE_FEATURE -> word(lifecycle.offeredFeatures(), deviceFeatureSelect);
      case DRIVER_FEATURE_SELECT -> driverFeatureSelect;
      case DRIVER_FEATURE -> word(lifecycle.driverFeatures(), driverFeatureSelect);
      case CONFIG_VECTOR -> vectors.config();
      case NUM_QUEUES -> lifecycle.queueCount();
      case STATUS -> lifecycle.status();
      case CONFIG_GENERATION -> lifecycle.device().configSpace().generation();
      case QUEUE_SELECT -> queueSelect;
      default -> queueSelect < lifecycle.queueCount() ? queueRegister(register) : 0;
    };
  }

  private long queueRegister(int register) {
    QueueRegisters queue = lifecycle.queue(queueSelect);
    return switch (register) {
      case QUEUE_SIZE -> queue.size;
      case QUEUE_VECTOR -> vectors.queue(queueSelect);
      case QUEUE_ENABLE -> queue.enabled ? 1 : 0;
      case QUEUE_NOTIFY_OFF -> queueSelect;
      case QUEUE_DESC -> queue.descriptorArea;
      case QUEUE_DRIVER -> queue.driverArea;
      case QUEUE_DEVICE -> queue.deviceArea;
      default -> 0;
    };
  }

  private static long word(long features, int select) {
    return switch (select) {
      case 0 -> features & 0xffff_ffffL;
      case 1 -> features >>> 32;
      default -> 0;
    };
  }

  /** Takes writes of a register's own width, and of either half of a 64-bit one; drops others. */
  @Override
  public void write(long offset, int size, long value) {
    int register = (int) offset;
    switch (size) {
      case 1 -> {
        if (register == STATUS) {
          lifecycle.writeStatus((int) value & 0xff);
        }
      }
      case 2 -> write16(register, (int) value & 0xffff);
      case 4 -> write32(register, value & 0xffff_ffffL);
      case 8 -> {
        if (register >= QUEUE_DESC) {
          write32(register, value & 0xffff_ffffL);
          write32(register + 4, value >>> 32);
        }
      }
      default -> {}
    }
  }

  /** What a reset of the device does to the registers that are kept here. */
  void reset() {
    synchronized (lifecycle) {
      deviceFeatureSelect = 0;
      driverFeatureSelect = 0;
      queueSelect = 0;
    }
  }

  private void write16(int register, int value) {
    synchronized (lifecycle) {
      switch (register) {
        case CONFIG_VECTOR -> vectors.setConfig(value);
        case QUEUE_SELECT -> queueSelect = value;
        default -> {
          if (queueSelect < lifecycle.queueCount()) {
            writeQueue16(queueSelect, register, value);
          }
        }
      }
    }
  }

  private void writeQueue16(int queue, int register, int value) {
    switch (register) {
      case QUEUE_SIZE -> lifecycle.program(queue, q -> q.size = value);
      case QUEUE_VECTOR -> vectors.setQueue(queue, value);
      // A driver must not write anything but 1 (section 4.1.4.3.2).
      case QUEUE_ENABLE -> lifecycle.program(queue, q -> q.enabled |= value == 1);
      default -> {}
    }
  }

  private void write32(int register, long value) {
    synchronized (lifecycle) {
      switch (register) {
        case DEVICE_FEATURE_SELECT -> deviceFeatureSelect = (int) value;
        case DRIVER_FEATURE_SELECT -> driverFeatureSelect = (int) value;
        case DRIVER_FEATURE -> writeFeatures(value);
        default -> {
          if (queueSelect < lifecycle.queueCount()) {
            writeQueue32(queueSelect, register, value);
          }
        }
      }
    }
  }

  private void writeFeatures(long value) {
    long features = lifecycle.driverFeatures();
    switch (driverFeatureSelect) {
      case 0 -> lifecycle.setDriverFeatures((features & ~0xffff_ffffL) | value);
      case 1 -> lifecycle.setDriverFeatures((features & 0xffff_ffffL) | value << 32);
      default -> {}
    }
  }

  private void writeQueue32(int queue, int register, long value) {
    int shift = 8 * (register & 4);
    long kept = 0xffff_ffff_0000_0000L >>> shift;
    long set = value << shift;
    switch (register & ~4) {
      case QUEUE_DESC ->
          lifecycle.program(queue, q -> q.descriptorArea = (q.descriptorArea & kept) | set);
      case QUEUE_DRIVER ->
          lifecycle.program(queue, q -> q.driverArea = (q.driverArea & kept) | set);
      case QUEUE_DEVICE ->
          lifecycle.program(queue, q -> q.deviceArea = (q.deviceArea & kept) | set);
      default -> {}
    }
  }
}
