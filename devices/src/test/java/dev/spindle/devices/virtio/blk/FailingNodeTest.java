// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.options.Options;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.driver.GuestArea;
import dev.spindle.devices.virtio.driver.GuestDriver;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a driver sees of a disk that breaks while the device begins or ends its work. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FailingNodeTest {
  /** Fails where it is told to. */
  private static final class FailingNode extends BlockNode {
    volatile RuntimeException onOpen;
    volatile RuntimeException onClose;
    final AtomicInteger opened = new AtomicInteger();

    FailingNode(AioContext context) {
      super("disk", "failing", context);
    }

    @Override
    public long length() {
      return 1 << 20;
    }

    @Override
    public boolean readOnly() {
      return true;
    }

    @Override
    public BlockLimits limits() {
      return BlockLimits.NONE;
    }

    @Override
    protected BlockLane makeLane(AioContext context) {
      if (onOpen != null && opened.get() > 0) {
        throw onOpen;
      }
      opened.incrementAndGet();
      return new BlockLane() {
        @Override
        public void submit(BlockRequest request, long offset) {
          request.complete(0);
        }

        @Override
        public void close() {
          if (onClose != null) {
            throw onClose;
          }
          opened.decrementAndGet();
        }
      };
    }

    @Override
    public void close() {}
  }

  private interface Body {
    void with(FailingNode node, VirtioBlkDevice device, GuestArea area) throws Exception;
  }

  private static void run(Body body) throws Exception {
    try (MainLoop mainLoop = MainLoop.start();
        IoThread io0 = IoThread.start("io0", ContextOptions.MAIN_LOOP);
        GuestMemory memory = GuestMemory.allocate(16 << 20)) {
      FailingNode node = new FailingNode(mainLoop.context());
      VirtioBlkOptions options = VirtioBlkOptions.from(new Options("test", Map.of()));
      QueuePlacement placement = QueuePlacement.all(2, io0.context());
      VirtioBlkDevice device =
          mainLoop.control(
              "device", () -> new VirtioBlkDevice("vd0", mainLoop, node, options, placement));
      body.with(node, device, new GuestArea(memory, 1 << 20, 15 << 20));
    }
  }

  @Test
  void aDeviceThatCannotBeginNeedsAReset() throws Exception {
    run(
        (node, device, area) -> {
          node.onOpen = new IllegalStateException("the second queue finds no way");
          try (GuestDriver driver = GuestDriver.start(device, area, 0, -1, 2, 64)) {
            while (driver.resetReason() == null) {
              Thread.onSpinWait();
            }
            assertEquals(
                "it cannot begin to work: the second queue finds no way", driver.resetReason());
          }
          assertEquals(0, node.opened.get(), "the first queue's way is left open");
          node.onOpen = null;
          GuestDriver.start(device, area, 0, -1, 2, 64).close();
        });
  }

  @Test
  void aDeviceThatCannotEndDoesNotSayThatItHas() throws Exception {
    run(
        (node, device, area) -> {
          RuntimeException failure = new IllegalStateException("it holds on");
          GuestDriver driver = GuestDriver.start(device, area, 0, -1, 2, 64);
          node.onClose = failure;
          CompletionException thrown = assertThrows(CompletionException.class, driver::close);
          assertSame(failure, thrown.getCause());
        });
  }
}
