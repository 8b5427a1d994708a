// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static dev.spindle.devices.virtio.driver.BlkDriver.IN;
import static dev.spindle.devices.virtio.driver.BlkDriver.IOERR;
import static dev.spindle.devices.virtio.driver.BlkDriver.OK;
import static dev.spindle.devices.virtio.driver.BlkDriver.OUT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.GuestDriver;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A device shows another node while its driver uses it. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NodeChangeTest {
  private static final int BLOCK = 4096;
  private static final int SECTORS = BLOCK / 512;

  @TempDir Path folder;

  private String file(String name, int bytes, int content) throws Exception {
    byte[] data = new byte[bytes];
    Arrays.fill(data, (byte) content);
    Files.write(folder.resolve(name), data);
    return "driver=file,node-name=" + name + ",filename=" + folder.resolve(name);
  }

  private static BlockNode open(BlkFixture fixture, String blockdev) throws Exception {
    return fixture.mainLoop.<BlockNode, Exception>control(
        "open", () -> fixture.graph.open(BlkFixture.options(blockdev)));
  }

  private static int transfer(BlkFixture fixture, BlkDriver queue, int type, int content) {
    fixture.memory.slice(queue.buffer(0), BLOCK).fill((byte) content);
    assertTrue(queue.transfer(0, type, SECTORS, BLOCK));
    queue.kick();
    assertEquals(0, queue.await());
    return queue.status(0);
  }

  @Test
  void requestsGoToTheNodeThatIsShown() throws Exception {
    try (BlkFixture fixture = new BlkFixture(file("a", 8 * BLOCK, 1), "", 1)) {
      GuestDriver driver = fixture.start(0, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, BLOCK);
      BlockNode b = open(fixture, file("b", 16 * BLOCK, 2));
      fixture.control(() -> fixture.device.changeNode(b));
      assertEquals(1, driver.configChanges());
      assertEquals(16 * SECTORS, fixture.device.configSpace().read(0, 8));
      assertSame(b, fixture.device.backend().node());
      assertSame(fixture.io0.context(), b.context());
      assertEquals(OK, transfer(fixture, queue, IN, 0));
      assertEquals(2, fixture.memory.slice(queue.buffer(0), BLOCK).get(ValueLayout.JAVA_BYTE, 9));
      assertEquals(OK, transfer(fixture, queue, OUT, 3));
      assertEquals(3, Files.readAllBytes(folder.resolve("b"))[BLOCK]);
      assertEquals(1, Files.readAllBytes(folder.resolve("a"))[BLOCK]);
      // The node before is free, and may come back.
      fixture.control(() -> fixture.graph.close(fixture.node));
      BlockNode a = open(fixture, file("a", 16 * BLOCK, 4));
      fixture.control(() -> fixture.device.changeNode(a));
      assertEquals(1, driver.configChanges(), "as long as the one before");
      assertEquals(OK, transfer(fixture, queue, IN, 0));
      assertEquals(4, fixture.memory.slice(queue.buffer(0), BLOCK).get(ValueLayout.JAVA_BYTE, 9));
    }
  }

  private static BlockBackend backend(BlkFixture fixture) {
    return fixture.device.backend();
  }

  private static void assertRefused(String sentence, BlkFixture fixture, BlockNode next)
      throws Exception {
    BlockException refusal =
        assertThrows(
            BlockException.class, () -> fixture.control(() -> fixture.device.changeNode(next)));
    assertTrue(refusal.getMessage().contains(sentence), refusal.getMessage());
    assertSame(fixture.node, fixture.device.backend().node());
    assertTrue(next.parents().stream().noneMatch(edge -> edge.parent() == backend(fixture)));
  }

  @Test
  void whatCannotTakeThePlaceIsRefused() throws Exception {
    try (BlkFixture fixture =
        new BlkFixture(file("a", 8 * BLOCK, 1), "logical_block_size=4096", 1)) {
      fixture.start(0, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, BLOCK);
      BlockNode odd = open(fixture, file("odd", 8 * BLOCK + 512, 2));
      assertRefused("is no multiple of logical_block_size 4096", fixture, odd);
      BlockNode fixed = open(fixture, file("fixed", 8 * BLOCK, 2) + ",read-only=on");
      assertRefused("node 'fixed'", fixture, fixed);
      BlockNode taken = open(fixture, file("taken", 8 * BLOCK, 2));
      VirtioBlkDevice other =
          fixture.mainLoop.<VirtioBlkDevice, Exception>control(
              "device",
              () ->
                  new VirtioBlkDevice(
                      "vd1",
                      fixture.mainLoop,
                      taken,
                      VirtioBlkOptions.from(BlkFixture.options("")),
                      QueuePlacement.all(1, fixture.io1.context())));
      assertRefused("Permission conflict on node 'taken'", fixture, taken);
      assertSame(fixture.io1.context(), taken.context());
      fixture.control(other::close);
      assertEquals(OK, transfer(fixture, queue, OUT, 3));
      assertEquals(3, Files.readAllBytes(folder.resolve("a"))[BLOCK]);
    }
  }

  @Test
  void aDeviceThatOnlyReadsGoesOnDoingSo() throws Exception {
    try (BlkFixture fixture = new BlkFixture(file("a", 8 * BLOCK, 1) + ",read-only=on", "", 1)) {
      fixture.start(0, -1, 1);
      long features = fixture.device.features();
      BlockNode b = open(fixture, file("b", 8 * BLOCK, 2));
      fixture.control(() -> fixture.device.changeNode(b));
      assertEquals(features, fixture.device.features());
      fixture.start(0, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, BLOCK);
      assertEquals(IOERR, transfer(fixture, queue, OUT, 3));
      assertEquals(2, Files.readAllBytes(folder.resolve("b"))[BLOCK]);
    }
  }

  /** Both nodes lead to the same file, so that the driver may never see a difference. */
  @Test
  void aBusyDriverLosesNothing() throws Exception {
    try (BlkFixture fixture = new BlkFixture(file("a", 256 * BLOCK, 0), "queue-size=64", 1)) {
      GuestDriver driver = fixture.start(0, -1, 1);
      BlkDriver queue = fixture.queue(0, 16, BLOCK);
      BlockNode raw = open(fixture, "driver=raw,node-name=raw,file=a");
      CompletableFuture<Void> busy =
          CompletableFuture.runAsync(
              () -> new MoveTest.BusyQueue(fixture.memory, queue, 0).run(),
              task -> Thread.ofPlatform().start(task));
      int changes = 0;
      while (!busy.isDone()) {
        BlockNode next = changes % 2 == 0 ? raw : fixture.node;
        fixture.control(() -> fixture.device.changeNode(next));
        changes++;
      }
      busy.get(1, TimeUnit.SECONDS);
      assertNull(driver.resetReason());
      assertTrue(changes > 20, "only " + changes + " changes");
      assertEquals(0, fixture.device.moveStats().moves());
    }
  }
}
