// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static dev.spindle.devices.virtio.driver.BlkDriver.IN;
import static dev.spindle.devices.virtio.driver.BlkDriver.OK;
import static dev.spindle.devices.virtio.driver.BlkDriver.OUT;
import static dev.spindle.devices.virtio.driver.BlkDriver.UNANSWERED;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.Breakpoints;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.GuestDriver;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What becomes of a device whose requests are held up by a rate: one request a second, each of
 * which counts as several thousand, so that whatever waits for the rate does not end in this test.
 */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ThrottledDeviceTest {
  private static final long SPLIT = 0;
  private static final long PACKED = VirtioFeatures.RING_PACKED;
  private static final String LIMITS = "iops-total=1,iops-size=1";
  private static final int BLOCK = 4096;
  private static final int BLOCK_SECTORS = BLOCK / 512;
  private static final int SLOTS = 32;
  private static final int MARK = 0xa5;

  private Path image;
  private BlkFixture fixture;
  private Breakpoints breakpoints;
  private BlkDriver queue;
  private final BitSet answered = new BitSet();

  @BeforeEach
  void makeImage() throws Exception {
    image = Files.createTempFile(Path.of("target"), "throttled", ".raw");
    image.toFile().deleteOnExit();
    Files.write(image, new byte[SLOTS * BLOCK]);
  }

  @AfterEach
  void close() throws Exception {
    if (fixture != null) {
      fixture.close();
    }
  }

  /** A disk with a throttle node in its graph. */
  private void throttledNode(long ring) throws Exception {
    open(
        "driver=throttle,node-name=disk,throttle-group=g,file.driver=blkdebug,"
            + "file.image.driver=file,file.image.filename=",
        ring);
  }

  /** A disk whose backend is throttled. */
  private void throttledBackend(long ring) throws Exception {
    open("driver=blkdebug,node-name=disk,image.driver=file,image.filename=", ring);
    fixture.control(() -> fixture.device.backend().setThrottle(fixture.group));
  }

  private void open(String blockdev, long ring) throws Exception {
    ThrottleLimits limits = ThrottleLimits.parse(BlkFixture.options(LIMITS), "");
    fixture = new BlkFixture(limits, blockdev + image, "", 1);
    breakpoints = fixture.mainLoop.control("breakpoints", () -> Breakpoints.of(fixture.node));
    fixture.start(ring | VirtioFeatures.INDIRECT_DESC, -1, 1);
    queue = fixture.queue(0, SLOTS, BLOCK);
  }

  /** Writes a block with each slot; the first passes the throttle, the others wait there. */
  private void submitAll(int type) {
    for (int slot = 0; slot < SLOTS; slot++) {
      fixture.memory.slice(queue.buffer(slot), BLOCK).fill((byte) MARK);
      assertTrue(queue.transfer(slot, type, (long) slot * BLOCK_SECTORS, BLOCK));
    }
    queue.kick();
  }

  /** Submits, and returns when the first request has been answered. */
  private void submitAllAndAwaitFirst(int type) {
    submitAll(type);
    awaitAnswers(1);
    settle();
    assertEquals(-1, queue.reap(), "the throttle lets more than one pass");
  }

  private void awaitAnswers(int count) {
    while (answered.cardinality() < count) {
      int slot = queue.await();
      assertEquals(OK, queue.status(slot));
      answered.set(slot);
    }
  }

  /** Returns after all tasks and timers that are due, and what they started on the image. */
  private void settle() {
    for (int turn = 0; turn < 5; turn++) {
      for (AioContext context :
          new AioContext[] {
            fixture.mainLoop.context(), fixture.io0.context(), fixture.io1.context()
          }) {
        context.call(() -> null);
      }
    }
  }

  private void unlimit() {
    fixture.group.configure(ThrottleLimits.NONE, System.nanoTime());
    settle();
  }

  /** Which blocks of the image have been written. */
  private BitSet written() throws Exception {
    byte[] content = Files.readAllBytes(image);
    BitSet blocks = new BitSet();
    for (int block = 0; block < SLOTS; block++) {
      blocks.set(block, content[block * BLOCK] == (byte) MARK);
    }
    return blocks;
  }

  private static BitSet all() {
    BitSet all = new BitSet();
    all.set(0, SLOTS);
    return all;
  }

  private byte[] guestMemory() {
    // Rings, headers, statuses and buffers are in the first megabytes of the area.
    MemorySegment memory = fixture.memory.slice(1 << 20, 4 << 20);
    return memory.toArray(ValueLayout.JAVA_BYTE);
  }

  /** Not even when nothing holds it up any more. */
  private void assertNothingGoesOn() throws Exception {
    byte[] before = guestMemory();
    breakpoints.breakOn(BlkdebugEvent.PWRITEV, "late");
    unlimit();
    assertFalse(breakpoints.isSuspended("late"), "a write was sent after the reset");
    breakpoints.removeBreak("late");
    assertArrayEquals(before, guestMemory(), "the device went on after its reset");
  }

  /** A reset device does what it is told again. */
  private void assertWorksAgain(long ring) throws Exception {
    GuestDriver driver = fixture.start(ring | VirtioFeatures.INDIRECT_DESC, -1, 1);
    queue = fixture.queue(0, SLOTS, BLOCK);
    answered.clear();
    submitAll(OUT);
    awaitAnswers(SLOTS);
    assertNull(driver.resetReason());
    assertEquals(all(), written());
  }

  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void aResetDropsWhatTheBackendHasNotSentAndWaitsForWhatItHas(long ring) throws Exception {
    throttledBackend(ring);
    breakpoints.breakOn(BlkdebugEvent.PWRITEV, "first");
    submitAll(OUT);
    breakpoints.awaitSuspended("first");
    CompletableFuture<Void> reset = fixture.device.reset();
    settle();
    assertFalse(reset.isDone(), "the reset did not wait for what is on its way");
    breakpoints.resume("first");
    reset.join();
    assertNothingGoesOn();
    BitSet first = new BitSet();
    first.set(0);
    assertEquals(first, written());
    assertWorksAgain(ring);
  }

  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void aResetDropsReadsAsWell(long ring) throws Exception {
    throttledBackend(ring);
    submitAllAndAwaitFirst(IN);
    fixture.device.reset().join();
    assertNothingGoesOn();
    for (int slot = 0; slot < SLOTS; slot++) {
      boolean read = answered.get(slot);
      assertEquals(read ? OK : UNANSWERED, queue.status(slot));
      assertEquals(read ? 0 : MARK, fixture.memory.readByte(queue.buffer(slot)));
    }
    assertWorksAgain(ring);
  }

  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void aResetOfAStoppedMachineDropsWhatItsBackendHolds(long ring) throws Exception {
    throttledBackend(ring);
    submitAllAndAwaitFirst(OUT);
    fixture.control(fixture.device::quiesce);
    fixture.device.reset().join();
    assertNothingGoesOn();
    fixture.control(fixture.device::resume);
    assertNothingGoesOn();
    assertEquals(answered, written());
    assertWorksAgain(ring);
  }

  /** What a throttle node has been given is on its way, and is not waited for at its rate. */
  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void aResetHasWhatWaitsInANodePass(long ring) throws Exception {
    throttledNode(ring);
    submitAllAndAwaitFirst(OUT);
    fixture.device.reset().join();
    assertEquals(all(), written());
    assertNothingGoesOn();
    Files.write(image, new byte[SLOTS * BLOCK]);
    assertWorksAgain(ring);
  }

  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void aStoppedMachineHasNothingWaitInANode(long ring) throws Exception {
    throttledNode(ring);
    submitAllAndAwaitFirst(OUT);
    fixture.control(fixture.device::quiesce);
    assertEquals(all(), written());
    awaitAnswers(SLOTS);
    fixture.control(fixture.device::resume);
  }

  @Test
  void aStoppedMachineLeavesWhatItsBackendHasNotSent() throws Exception {
    throttledBackend(SPLIT);
    submitAllAndAwaitFirst(OUT);
    fixture.control(fixture.device::quiesce);
    unlimit();
    assertEquals(answered, written());
    fixture.control(fixture.device::resume);
    awaitAnswers(SLOTS);
    assertEquals(all(), written());
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aMoveHasWhatWaitsInANodePass(boolean oneQueue) throws Exception {
    throttledNode(SPLIT);
    submitAllAndAwaitFirst(OUT);
    move(oneQueue);
    awaitAnswers(SLOTS);
    assertEquals(all(), written());
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aMoveTakesAlongWhatTheBackendHasNotSent(boolean oneQueue) throws Exception {
    throttledBackend(SPLIT);
    submitAllAndAwaitFirst(OUT);
    move(oneQueue);
    settle();
    assertEquals(answered, written(), "a move lets requests off");
    unlimit();
    awaitAnswers(SLOTS);
    assertEquals(all(), written());
  }

  private void move(boolean oneQueue) throws Exception {
    AioContext target = fixture.io1.context();
    fixture.control(
        () -> {
          if (oneQueue) {
            fixture.device.moveQueueTo(0, target);
          } else {
            fixture.device.moveTo(target);
          }
        });
    assertEquals(target, fixture.mainLoop.control("where", fixture.device::placement).of(0));
  }

  @Test
  void aDiskWhoseNodeIsThrottledCloses() throws Exception {
    throttledNode(SPLIT);
    submitAllAndAwaitFirst(OUT);
    fixture.closeDevice();
    assertEquals(all(), written());
  }

  @Test
  void aDiskWhoseBackendIsThrottledCloses() throws Exception {
    throttledBackend(SPLIT);
    submitAllAndAwaitFirst(OUT);
    fixture.closeDevice();
    assertEquals(answered, written());
  }
}
