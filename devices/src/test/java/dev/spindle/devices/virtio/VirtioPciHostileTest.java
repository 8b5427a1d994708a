// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static dev.spindle.devices.virtio.DeviceStatus.ACKNOWLEDGE;
import static dev.spindle.devices.virtio.DeviceStatus.DRIVER;
import static dev.spindle.devices.virtio.DeviceStatus.DRIVER_OK;
import static dev.spindle.devices.virtio.DeviceStatus.FEATURES_OK;
import static dev.spindle.devices.virtio.DeviceStatus.NEEDS_RESET;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.EventFd;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Drivers that break their device, on purpose or at random: it needs a reset, and then is as new.
 */
class VirtioPciHostileTest {
  private static final long BASIC = VirtioFeatures.VERSION_1 | EchoDevice.FEATURE;
  private static final int RUNNING = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;

  private PciGuestDriver guest;
  private EchoDevice device;

  @BeforeEach
  void plugIn() throws IOException {
    guest = new PciGuestDriver();
    device = guest.device;
  }

  @AfterEach
  void unplug() {
    device.quiet.complete(null);
    guest.close();
  }

  // ---- A driver that breaks its device -------------------------------------------------------

  @ParameterizedTest
  @ValueSource(
      ints = {
        CommonConfig.QUEUE_SIZE,
        CommonConfig.QUEUE_ENABLE,
        CommonConfig.QUEUE_DESC,
        CommonConfig.QUEUE_DESC + 4,
        CommonConfig.QUEUE_DRIVER,
        CommonConfig.QUEUE_DEVICE
      })
  void reconfiguringAQueueOfARunningDeviceNeedsAReset(int register) {
    guest.start(BASIC);
    guest.selectQueue(0);
    int size = register < CommonConfig.QUEUE_DESC ? 2 : 4;
    long old = guest.common(register, size);
    guest.setCommon(register, size, 0x1000);
    assertEquals(RUNNING | NEEDS_RESET, guest.status());
    assertEquals(List.of(0x4000), guest.messages(), "the driver is told");
    assertEquals(old, guest.common(register, size), "nothing has changed");
    guest.submit(0);
    device.serve(0);
    assertTrue(guest.queues.get(0).reap(), "the queue is where it was");
    guest.start(BASIC);
    assertEquals(RUNNING, guest.status(), "a reset mends it");
  }

  @Test
  void aMalformedChainNeedsAReset() {
    guest.start(BASIC);
    long descriptors = guest.queues.get(0).config().descriptorArea();
    guest.submit(0);
    guest.memory.writeLong(descriptors, -1);
    assertEquals(0, device.serve(0));
    assertEquals(RUNNING | NEEDS_RESET, guest.status());
    assertEquals(List.of(0x4000), guest.messages());
    device.active.needsReset("again");
    assertEquals(List.of(), guest.messages(), "once is enough");
  }

  @Test
  void queuesThatCannotBeNeedAReset() {
    record Wrong(int register, int size, long value) {}
    for (Wrong wrong :
        List.of(
            new Wrong(CommonConfig.QUEUE_SIZE, 2, 0),
            new Wrong(CommonConfig.QUEUE_SIZE, 2, 7),
            new Wrong(CommonConfig.QUEUE_SIZE, 2, 2 * EchoDevice.QUEUE_SIZE),
            new Wrong(CommonConfig.QUEUE_DESC, 4, 0x1008),
            new Wrong(CommonConfig.QUEUE_DRIVER, 4, 0xffff_fff0L),
            new Wrong(CommonConfig.QUEUE_DEVICE + 4, 4, 1))) {
      guest.negotiate(BASIC);
      guest.setUpQueues(BASIC);
      guest.selectQueue(1);
      guest.setCommon(wrong.register(), wrong.size(), wrong.value());
      int before = device.activations.size();
      guest.setStatus(guest.status() | DRIVER_OK);
      assertEquals(RUNNING | NEEDS_RESET, guest.status(), wrong.toString());
      assertEquals(before, device.activations.size());
    }
    guest.start(BASIC);
    assertEquals(RUNNING, guest.status());
  }

  @Test
  void aQueueThatIsNotThereHasNoSizeAndSwallowsWrites() {
    guest.selectQueue(2);
    assertEquals(0, guest.common(CommonConfig.QUEUE_SIZE, 2));
    guest.setCommon(CommonConfig.QUEUE_ENABLE, 2, 1);
    guest.setAddress(CommonConfig.QUEUE_DESC, 0x1000);
    guest.setCommon(CommonConfig.QUEUE_VECTOR, 2, 1);
    assertEquals(0, guest.common(CommonConfig.QUEUE_ENABLE, 2));
    guest.selectQueue(0xffff);
    assertEquals(0, guest.common(CommonConfig.QUEUE_SIZE, 2));
    guest.start(BASIC);
    guest.selectQueue(2);
    guest.setCommon(CommonConfig.QUEUE_ENABLE, 2, 1);
    assertEquals(RUNNING, guest.status());
  }

  @Test
  void aDeviceThatFailsToStartNeedsAReset() {
    device.failure = new IllegalStateException("on purpose");
    guest.start(BASIC);
    assertEquals(RUNNING | NEEDS_RESET, guest.status());
    device.failure = null;
    guest.start(BASIC);
    assertEquals(RUNNING, guest.status());
  }

  // ---- Any access at all ---------------------------------------------------------------------

  @Test
  void noAccessUpsetsTheTransport() {
    SplittableRandom random = new SplittableRandom(99);
    int[] sizes = {1, 2, 4, 8};
    for (int i = 0; i < 300_000; i++) {
      if (i % 1000 == 0) {
        guest.start(BASIC);
        assertEquals(RUNNING, guest.status());
      }
      int size = sizes[random.nextInt(4)];
      long offset =
          random.nextInt(3) == 0 ? random.nextInt(0x4000 - 8) : random.nextInt(CommonConfig.SIZE);
      long address = guest.address(PciGuestDriver.COMMON) + offset;
      long value = random.nextInt(2) == 0 ? random.nextLong() : random.nextInt(64);
      if (random.nextBoolean()) {
        guest.memoryBus.write(address, size, value);
      } else {
        guest.memoryBus.read(address, size);
      }
    }
    List<EventFd> kicks = new ArrayList<>(guest.ioEventFds.byAddress.values());
    assertEquals(2, kicks.size());
    guest.start(BASIC);
    assertNotNull(device.active);
    assertEquals(RUNNING, guest.status());
  }
}
