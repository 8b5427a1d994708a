// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.DeviceQueue;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.VirtqueueConfig;
import dev.spindle.linux.EventFd;
import java.util.EnumSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A queue that cannot begin to work: its driver hears of it, and it ends and moves as others do.
 */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QueueStartTest {
  private static final int SIZE = 16;

  @Test
  void aQueueThatCannotBeginIsStoppedMovedAndEnded() throws Exception {
    try (MainLoop mainLoop = MainLoop.start();
        IoThread io0 = IoThread.start("io0", ContextOptions.IOTHREAD);
        GuestMemory memory = GuestMemory.allocate(1 << 20);
        EventFd sound = EventFd.create()) {
      BlockGraph graph = new BlockGraph(mainLoop);
      CompletableFuture<String> broken = new CompletableFuture<>();
      VirtioBlkQueues queues =
          new VirtioBlkQueues(QueuePlacement.all(2, mainLoop.context()), broken::complete);
      BlockBackend backend = mainLoop.control("attach", () -> attach(graph, queues));
      EventFd gone = EventFd.create();
      gone.close();
      control(
          mainLoop,
          () -> {
            VirtioBlkModel model = model(backend);
            start(queues, 0, memory, sound, model);
            start(queues, 1, memory, gone, model);
          });
      assertTrue(broken.join().startsWith("a fault of the device itself: "), broken.join());
      control(mainLoop, () -> ContextChange.run(backend.node(), io0.context()));
      queues.awaitStarted();
      assertEquals(1, queues.moveStats().moves());
      CompletableFuture<Void> stopped = mainLoop.control("stop", queues::stopAll);
      stopped.join();
      control(
          mainLoop,
          () -> {
            queues.endAll();
            backend.close();
            graph.closeAll();
          });
    }
  }

  private static BlockBackend attach(BlockGraph graph, VirtioBlkQueues queues) throws Exception {
    BackendUser user =
        new BackendUser() {
          @Override
          public String describe() {
            return "test";
          }

          @Override
          public Runnable drainedBegin() {
            return queues.drainedBegin();
          }

          @Override
          public void drainedEnd() {
            queues.drainedEnd();
          }

          @Override
          public void prepareContextChange(AioContext target, ContextChange change) {
            queues.prepareContextChange(target, change);
          }
        };
    BlockBackend backend =
        new BlockBackend(
            graph.open(BlkFixture.options("driver=null-co,node-name=disk,size=1M")),
            user,
            EnumSet.of(Permission.CONSISTENT_READ),
            Permission.all());
    queues.attach(backend);
    return backend;
  }

  private static VirtioBlkModel model(BlockBackend backend) throws Exception {
    return new VirtioBlkModel(VirtioBlkOptions.from(BlkFixture.options("")), backend, false, 2);
  }

  private static void start(
      VirtioBlkQueues queues, int index, GuestMemory memory, EventFd kick, VirtioBlkModel model)
      throws Exception {
    long at = 4096L * 4 * index;
    VirtqueueConfig config = new VirtqueueConfig(index, SIZE, SIZE, at, at + 4096, at + 8192);
    queues.start(
        index,
        new DeviceQueue(Virtqueue.create(memory, config, 0), kick, () -> {}),
        model,
        0,
        QueueTracker.NONE,
        LeftBehind.NONE);
  }

  private static void control(MainLoop mainLoop, BlkFixture.Work work) throws Exception {
    mainLoop.<Void, Exception>control(
        "test",
        () -> {
          work.run();
          return null;
        });
  }
}
