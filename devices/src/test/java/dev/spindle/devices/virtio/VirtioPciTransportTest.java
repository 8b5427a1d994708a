// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static dev.spindle.devices.virtio.DeviceStatus.ACKNOWLEDGE;
import static dev.spindle.devices.virtio.DeviceStatus.DRIVER;
import static dev.spindle.devices.virtio.DeviceStatus.DRIVER_OK;
import static dev.spindle.devices.virtio.DeviceStatus.FAILED;
import static dev.spindle.devices.virtio.DeviceStatus.FEATURES_OK;
import static dev.spindle.devices.virtio.DeviceStatus.NEEDS_RESET;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.virtio.PciGuestDriver.Structure;
import dev.spindle.devices.virtio.driver.DriverQueue;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class VirtioPciTransportTest {
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

  // ---- What it looks like --------------------------------------------------------------------

  @Test
  void itsIdentityIsThatOfAModernDevice() {
    assertEquals(0x1af4, guest.config(0, 2));
    assertEquals(0x1040 + EchoDevice.TYPE, guest.config(2, 2));
    assertTrue(guest.config(8, 1) >= 1, "revision");
    assertEquals(0x00ff00, guest.config(9, 2) | guest.config(11, 1) << 16);
    assertTrue(guest.config(0x2e, 2) >= 0x40, "subsystem");
  }

  @Test
  void everyStructureLiesInsideItsBarAndApartFromTheOthers() {
    assertEquals(Set.of(1, 2, 3, 4, 5), guest.structures.keySet());
    Set<Long> pages = new HashSet<>();
    for (int type : List.of(1, 2, 3, 4)) {
      Structure structure = guest.structures.get(type);
      assertTrue(structure.length() > 0);
      assertEquals(4, structure.bar());
      assertTrue(structure.offset() + structure.length() <= 0x4000);
      assertTrue(pages.add(structure.offset() / 4096), "shares a page");
    }
    assertEquals(12, guest.structures.get(PciGuestDriver.DEVICE).length());
    assertTrue(guest.structures.get(PciGuestDriver.COMMON).length() >= 56);
  }

  @Test
  void afterResetEverythingIsAtItsBeginning() {
    assertEquals(0, guest.status());
    assertEquals(2, guest.common(CommonConfig.NUM_QUEUES, 2));
    assertEquals(VectorMap.NONE, guest.common(CommonConfig.CONFIG_VECTOR, 2));
    for (int i = 0; i < 2; i++) {
      guest.selectQueue(i);
      assertEquals(EchoDevice.QUEUE_SIZE, guest.common(CommonConfig.QUEUE_SIZE, 2));
      assertEquals(0, guest.common(CommonConfig.QUEUE_ENABLE, 2));
      assertEquals(VectorMap.NONE, guest.common(CommonConfig.QUEUE_VECTOR, 2));
      assertEquals(0, guest.common(CommonConfig.QUEUE_DESC, 8));
    }
  }

  @Test
  void registersCanBeReadInPiecesAndAtOnce() {
    guest.selectQueue(1);
    guest.setAddress(CommonConfig.QUEUE_DESC, 0x1122334455667000L);
    assertEquals(0x1122334455667000L, guest.common(CommonConfig.QUEUE_DESC, 8));
    assertEquals(0x55667000L, guest.common(CommonConfig.QUEUE_DESC, 4));
    assertEquals(0x11223344L, guest.common(CommonConfig.QUEUE_DESC + 4, 4));
    assertEquals(0x11, guest.common(CommonConfig.QUEUE_DESC + 7, 1));
    assertEquals(16 << 16 | 1, guest.common(CommonConfig.QUEUE_SELECT, 4));
    guest.setCommon(CommonConfig.QUEUE_DRIVER, 8, 0x0102030405060708L);
    assertEquals(0x0102030405060708L, guest.common(CommonConfig.QUEUE_DRIVER, 8));
  }

  // ---- Negotiation ---------------------------------------------------------------------------

  @Test
  void itOffersTheDevicesFeaturesAndItsOwn() {
    assertEquals(
        EchoDevice.FEATURE
            | EchoDevice.REFUSED_FEATURE
            | VirtioFeatures.VERSION_1
            | VirtioFeatures.RING_PACKED
            | VirtioFeatures.INDIRECT_DESC
            | VirtioFeatures.EVENT_IDX,
        guest.deviceFeatures());
    guest.setCommon(CommonConfig.DEVICE_FEATURE_SELECT, 4, 2);
    assertEquals(0, guest.common(CommonConfig.DEVICE_FEATURE, 4));
  }

  @Test
  void aSubsetWithVersionOneIsAccepted() {
    assertTrue(guest.negotiate(VirtioFeatures.VERSION_1));
    assertEquals(ACKNOWLEDGE | DRIVER | FEATURES_OK, guest.status());
  }

  @Test
  void otherChoicesOfFeaturesAreRefused() {
    assertFalse(guest.negotiate(EchoDevice.FEATURE), "no VERSION_1");
    assertFalse(guest.negotiate(BASIC | 1L << 7), "not offered");
    assertFalse(guest.negotiate(BASIC | 1L << 63), "not offered");
    assertFalse(guest.negotiate(BASIC | EchoDevice.REFUSED_FEATURE), "not acceptable");
    assertEquals(ACKNOWLEDGE | DRIVER, guest.status());
    guest.setDriverFeatures(BASIC);
    guest.setStatus(guest.status() | FEATURES_OK);
    assertEquals(ACKNOWLEDGE | DRIVER | FEATURES_OK, guest.status(), "a second try");
  }

  @Test
  void whatIsAgreedOnStays() {
    guest.negotiate(BASIC);
    guest.setDriverFeatures(-1);
    guest.setStatus(guest.status() | DRIVER_OK);
    assertEquals(BASIC, device.active.features());
  }

  @Test
  void startingWithoutAgreementNeedsAReset() {
    guest.setStatus(ACKNOWLEDGE | DRIVER | DRIVER_OK);
    assertEquals(ACKNOWLEDGE | DRIVER | NEEDS_RESET, guest.status());
    assertNull(device.active);
  }

  @Test
  void aDriverCannotTakeStatusBitsBackNorSetTheDevices() {
    guest.negotiate(BASIC);
    guest.setStatus(ACKNOWLEDGE);
    assertEquals(ACKNOWLEDGE | DRIVER | FEATURES_OK, guest.status());
    guest.setStatus(NEEDS_RESET | FAILED | 0x30);
    assertEquals(ACKNOWLEDGE | DRIVER | FEATURES_OK | FAILED, guest.status());
  }

  // ---- Running -------------------------------------------------------------------------------

  @ParameterizedTest
  @MethodSource("dev.spindle.devices.virtio.RingKind#all")
  void buffersGoThereAndBack(RingKind kind) {
    guest.start(kind.features());
    assertEquals(RUNNING, guest.status());
    assertEquals(kind.features(), device.active.features());
    for (int round = 0; round < 20; round++) {
      for (int queue = 0; queue < 2; queue++) {
        DriverQueue ring = guest.queues.get(queue);
        ring.enableInterrupts();
        device.active.queue(queue).ring().enableNotifications();
        guest.memory.writeLong(0x80000, 1000 + round);
        assertTrue(guest.submit(queue));
        guest.kick(queue);
        assertEquals(1, device.active.queue(queue).kick().read());
        assertEquals(1, device.serve(queue));
        assertEquals(List.of(0x4001 + queue), guest.messages());
        assertTrue(ring.reap());
        assertEquals(8, ring.usedLength());
        assertEquals(1000 + round, guest.memory.readLong(0x80010));
      }
    }
  }

  @Test
  void aQueueThatIsNotEnabledIsNotThere() {
    guest.negotiate(BASIC);
    guest.setUpQueues(BASIC);
    guest.setStatus(0);
    guest.negotiate(BASIC);
    guest.selectQueue(1);
    guest.setAddress(CommonConfig.QUEUE_DESC, 0x10000);
    guest.setAddress(CommonConfig.QUEUE_DRIVER, 0x11000);
    guest.setAddress(CommonConfig.QUEUE_DEVICE, 0x12000);
    guest.setCommon(CommonConfig.QUEUE_ENABLE, 2, 1);
    guest.setStatus(guest.status() | DRIVER_OK);
    assertNull(device.active.queue(0));
    assertEquals(EchoDevice.QUEUE_SIZE, device.active.queue(1).ring().size());
  }

  @Test
  void rightAfterStartAKickFromBeforeIsStillThere() {
    guest.negotiate(BASIC);
    guest.setUpQueues(BASIC);
    guest.submit(0);
    guest.kick(0);
    guest.setStatus(guest.status() | DRIVER_OK);
    assertEquals(1, device.active.queue(0).kick().read());
    assertTrue(device.active.queue(0).ring().hasAvailable());
  }

  @Test
  void whereThereAreNoIoEventFdsKicksComeThroughTheBar() throws IOException {
    guest.close();
    guest = new PciGuestDriver();
    device = guest.device;
    guest.setConfig(4, 2, 0);
    guest.ioEventFds.room = 1;
    guest.setConfig(4, 2, 2);
    assertEquals(1, guest.ioEventFds.byAddress.size());
    guest.start(BASIC);
    for (int queue = 0; queue < 2; queue++) {
      guest.kick(queue);
      assertEquals(1, device.active.queue(queue).kick().read(), "queue " + queue);
    }
  }

  @Test
  void kicksFollowTheBar() {
    long before = guest.address(PciGuestDriver.NOTIFY);
    assertEquals(Set.of(before, before + 4), guest.ioEventFds.byAddress.keySet());
    guest.setConfig(4, 2, 0);
    assertEquals(Set.of(), guest.ioEventFds.byAddress.keySet());
    guest.setConfig(0x20, 4, 0xc800_0000L);
    guest.setConfig(0x24, 4, 0);
    guest.setConfig(4, 2, 2);
    assertEquals(Set.of(0xc800_3000L, 0xc800_3004L), guest.ioEventFds.byAddress.keySet());
    guest.start(BASIC);
    guest.submit(1);
    guest.kick(1);
    assertEquals(1, device.serve(1));
  }

  @Test
  void theDevicesConfigurationIsReadAndWrittenThroughTheBar() {
    long config = guest.address(PciGuestDriver.DEVICE);
    assertEquals(0x11223344L, guest.memoryBus.read(config, 4));
    assertEquals(0x33, guest.memoryBus.read(config + 1, 1));
    assertEquals(0x8877665544332211L, guest.memoryBus.read(config + 4, 8));
    assertEquals(0x00008877L, guest.memoryBus.read(config + 10, 4), "beyond the end");
    long generation = guest.common(CommonConfig.CONFIG_GENERATION, 1);
    guest.memoryBus.write(config, 4, 0xcafef00dL);
    assertEquals(0xcafef00dL, guest.memoryBus.read(config, 4));
    assertNotEquals(generation, guest.common(CommonConfig.CONFIG_GENERATION, 1));
    guest.memoryBus.write(config + 12, 4, 1);
    guest.memoryBus.write(config + 0xffe, 2, 1);
  }

  @Test
  void aChangeOfConfigurationInterruptsARunningDriver() {
    guest.start(BASIC);
    device.active.configChanged();
    assertEquals(List.of(0x4000), guest.messages());
  }

  // ---- Interrupts ----------------------------------------------------------------------------

  @Test
  void aVectorThatIsNotThereReadsBackAsNone() {
    guest.setCommon(CommonConfig.CONFIG_VECTOR, 2, 3);
    assertEquals(VectorMap.NONE, guest.common(CommonConfig.CONFIG_VECTOR, 2));
    guest.setCommon(CommonConfig.CONFIG_VECTOR, 2, 2);
    assertEquals(2, guest.common(CommonConfig.CONFIG_VECTOR, 2));
    guest.selectQueue(1);
    guest.setCommon(CommonConfig.QUEUE_VECTOR, 2, 0x8000);
    assertEquals(VectorMap.NONE, guest.common(CommonConfig.QUEUE_VECTOR, 2));
  }

  @Test
  void aVectorMayChangeWhileTheDeviceRuns() {
    guest.start(BASIC);
    guest.selectQueue(0);
    guest.setCommon(CommonConfig.QUEUE_VECTOR, 2, 2);
    assertEquals(RUNNING, guest.status());
    guest.submit(0);
    device.serve(0);
    assertEquals(List.of(0x4002), guest.messages());
    guest.setCommon(CommonConfig.QUEUE_VECTOR, 2, VectorMap.NONE);
    guest.submit(0);
    device.serve(0);
    assertEquals(List.of(), guest.messages());
  }

  @Test
  void withoutMsixTheInterruptPinIsUsed() {
    guest.negotiate(BASIC);
    guest.setUpQueues(BASIC);
    guest.setStatus(guest.status() | DRIVER_OK);
    var line = guest.lines.get(guest.slot % 4);
    assertFalse(line.isAsserted());
    guest.submit(0);
    device.serve(0);
    assertTrue(line.isAsserted());
    assertEquals(8, guest.config(6, 2) & 8, "the status register's interrupt bit");
    assertEquals(1, guest.memoryBus.read(guest.address(PciGuestDriver.ISR), 1));
    assertFalse(line.isAsserted(), "reading acknowledges");
    assertEquals(0, guest.memoryBus.read(guest.address(PciGuestDriver.ISR), 1));
    device.active.configChanged();
    assertTrue(line.isAsserted());
    guest.setStatus(0);
    assertFalse(line.isAsserted(), "a reset device asks for nothing");
  }

  // ---- Reset ---------------------------------------------------------------------------------

  @Test
  void aResetIsDoneWhenTheDeviceIsQuiet() {
    guest.start(BASIC);
    CompletableFuture<Void> quiet = new CompletableFuture<>();
    device.quiet = quiet;
    guest.setStatus(0);
    assertNull(device.active);
    assertEquals(RUNNING, guest.status(), "not quiet yet");
    guest.setStatus(FAILED);
    assertEquals(RUNNING, guest.status(), "it is not the driver's turn");
    guest.setStatus(0);
    assertEquals(1, device.resets);
    guest.selectQueue(0);
    assertEquals(1, guest.common(CommonConfig.QUEUE_ENABLE, 2));
    quiet.complete(null);
    afterResetEverythingIsAtItsBeginning();
    guest.start(BASIC);
    guest.submit(0);
    assertEquals(1, device.serve(0), "and it starts again");
  }

  @Test
  void aDeviceThatCannotBeResetDoesNotLookReset() {
    guest.start(BASIC);
    device.quiet = CompletableFuture.failedFuture(new IllegalStateException("on purpose"));
    guest.setStatus(0);
    assertEquals(RUNNING, guest.status());
    assertThrows(CompletionException.class, guest.transport::comeToRest);
    device.quiet = CompletableFuture.completedFuture(null);
    guest.setStatus(0);
    assertEquals(0, guest.status(), "unless it manages later");
  }

  @Test
  void aDeviceThatHasComeToItsEndIsStartedByNobody() {
    guest.start(BASIC);
    CompletableFuture<Void> quiet = new CompletableFuture<>();
    device.quiet = quiet;
    CompletableFuture<Void> ended = guest.transport.end();
    assertFalse(ended.isDone());
    assertNull(device.active);
    quiet.complete(null);
    assertTrue(ended.isDone());
    guest.start(BASIC);
    assertNull(device.active);
    assertEquals(0, guest.status());
    assertTrue(guest.transport.end().isDone());
  }

  @Test
  void whatAnEndedActivationReportsIsNotHeard() {
    guest.start(BASIC);
    VirtioActivation ended = device.active;
    guest.setStatus(0);
    ended.needsReset("too late");
    ended.configChanged();
    assertEquals(0, guest.status());
    guest.start(BASIC);
    ended.needsReset("too late");
    assertEquals(RUNNING, guest.status());
    assertEquals(List.of(), guest.messages());
  }

  @Test
  void aResetOfTheMachineResetsTheDevice() {
    guest.start(BASIC);
    guest.bridge.reset();
    assertEquals(1, device.resets);
    assertEquals(Set.of(), guest.ioEventFds.byAddress.keySet());
    guest.bridge.assignResources();
    afterResetEverythingIsAtItsBeginning();
    guest.start(BASIC);
    assertEquals(RUNNING, guest.status());
  }

  // ---- Access through configuration space ----------------------------------------------------

  private void aim(int bar, long offset, int length) {
    int capability = guest.structures.get(PciGuestDriver.PCI).capability();
    guest.setConfig(capability + 4, 1, bar);
    guest.setConfig(capability + 8, 4, offset);
    guest.setConfig(capability + 12, 4, length);
  }

  private int window() {
    return guest.structures.get(PciGuestDriver.PCI).capability() + 16;
  }

  @Test
  void registersAreReachedThroughConfigurationSpaceToo() {
    aim(4, CommonConfig.STATUS, 1);
    guest.setConfig(window(), 1, ACKNOWLEDGE | DRIVER);
    assertEquals(ACKNOWLEDGE | DRIVER, guest.status());
    assertEquals(ACKNOWLEDGE | DRIVER, guest.config(window(), 1));
    aim(4, CommonConfig.NUM_QUEUES, 2);
    assertEquals(2, guest.config(window(), 2));
    aim(4, 0x2000, 4);
    assertEquals(0x11223344L, guest.config(window(), 4));
    guest.start(BASIC);
    aim(4, 0x3004, 2);
    guest.setConfig(window(), 2, 1);
    assertEquals(1, device.active.queue(1).kick().read());
  }

  @Test
  void nothingElseIsReachedThroughConfigurationSpace() {
    aim(4, CommonConfig.STATUS, 1);
    guest.setConfig(window(), 1, ACKNOWLEDGE);
    for (long[] target :
        new long[][] {{1, 0, 4}, {4, 0x4000, 4}, {4, -4, 4}, {4, 2, 4}, {4, 20, 3}, {7, 20, 1}}) {
      aim((int) target[0], target[1], (int) target[2]);
      guest.setConfig(window(), 4, 0);
      assertEquals(ACKNOWLEDGE, guest.status());
      guest.config(window(), 4);
    }
  }
}
