// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.aio.MemoryRegistration;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.blk.QueuePlacement;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.devices.virtio.blk.VirtioBlkOptions;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.GuestArea;
import dev.spindle.devices.virtio.driver.GuestDriver;
import java.io.IOException;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A block device on one of two iothreads with a driver in this process: the whole way from
 * descriptor to used ring, without KVM. The driver's thread fills the ring and kicks an eventfd as
 * a guest would.
 */
final class DeviceUnderTest implements AutoCloseable {
  private static final int QUEUE_SIZE = 256;

  /** Little enough to be registered twice under the usual RLIMIT_MEMLOCK of 8 MiB. */
  private static final long MEMORY_BYTES = 3L << 20;

  private static final long AREA_START = 1 << 20;

  /** What a run showed. */
  record Run(double requestsPerSecond, double allocatedBytesPerRequest) {}

  private final MainLoop mainLoop;
  private final BlockGraph graph;
  private final IoThread ioThread;
  private final IoThread otherThread;
  private final GuestMemory memory;
  private final MemoryRegistration registration;
  private final MemoryRegistration otherRegistration;
  private final VirtioBlkDevice device;
  private final GuestDriver driver;
  private final BlkDriver queue;
  private final long blocks;

  /** Opens a node and drives it with up to {@code depth} requests at once. */
  DeviceUnderTest(Map<String, String> blockdev, int depth) throws IOException, OptionException {
    mainLoop = MainLoop.start();
    graph = new BlockGraph(mainLoop);
    ioThread = IoThread.start("io0", ContextOptions.IOTHREAD);
    otherThread = IoThread.start("io1", ContextOptions.IOTHREAD);
    memory = GuestMemory.allocate(MEMORY_BYTES);
    registration = ioThread.context().registerMemory(memory.segment());
    otherRegistration = otherThread.context().registerMemory(memory.segment());
    VirtioBlkOptions options = VirtioBlkOptions.from(new Options("bench", Map.of()));
    device =
        mainLoop.<VirtioBlkDevice, IOException>control("open", () -> makeDevice(blockdev, options));
    blocks = device.backend().node().length() / Workload.BLOCK_BYTES;
    GuestArea area = new GuestArea(memory, AREA_START, MEMORY_BYTES - AREA_START);
    long ring = VirtioFeatures.INDIRECT_DESC | VirtioFeatures.EVENT_IDX;
    driver = GuestDriver.start(device, area, ring, -1, 1, QUEUE_SIZE);
    queue = new BlkDriver(driver, 0, area, depth, Workload.BLOCK_BYTES);
  }

  private VirtioBlkDevice makeDevice(Map<String, String> blockdev, VirtioBlkOptions options)
      throws BlockException {
    try {
      return new VirtioBlkDevice(
          "bench",
          mainLoop,
          graph.open(new Options("bench", blockdev)),
          options,
          QueuePlacement.all(1, ioThread.context()));
    } catch (OptionException e) {
      throw new BlockException(e.getMessage(), e);
    }
  }

  /** Keeps {@code workload.depth()} requests in flight for a while. */
  Run run(Workload workload, long durationNs) throws IOException {
    return run(workload, durationNs, SlotWatch.NONE);
  }

  /** As {@link #run(Workload, long)}, while {@code watch} sees the requests come and go. */
  Run run(Workload workload, long durationNs, SlotWatch watch) throws IOException {
    SplittableRandom random = new SplittableRandom(workload.depth());
    int type = workload.access().readPercent() == 0 ? BlkDriver.OUT : BlkDriver.IN;
    long allocatedBefore = ThreadAllocation.of(ioThread.threadId());
    long start = System.nanoTime();
    long end = start + durationNs;
    for (int slot = 0; slot < workload.depth(); slot++) {
      watch.sent(slot);
      submit(slot, type, random);
    }
    queue.kick();
    int inFlight = workload.depth();
    long finished = 0;
    while (inFlight > 0) {
      boolean more = System.nanoTime() < end;
      int slot = queue.await();
      while (slot >= 0) {
        if (queue.status(slot) != BlkDriver.OK) {
          throw new IOException("a request failed with status " + queue.status(slot));
        }
        watch.answered(slot);
        finished++;
        if (more) {
          watch.sent(slot);
          submit(slot, type, random);
        } else {
          inFlight--;
        }
        slot = queue.reap();
      }
      if (driver.resetReason() != null) {
        throw new IOException("the device needs a reset: " + driver.resetReason());
      }
      queue.kick();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    long allocated = ThreadAllocation.of(ioThread.threadId()) - allocatedBefore;
    return new Run(finished / seconds, (double) allocated / finished);
  }

  /**
   * Moves the device to the other iothread and waits for that. Any thread.
   *
   * @return how long that held I/O back, in nanoseconds
   */
  long move() {
    return mainLoop.control("move", this::moveToOther);
  }

  private long moveToOther() {
    AioContext there =
        device.backend().node().context() == ioThread.context()
            ? otherThread.context()
            : ioThread.context();
    long before = device.moveStats().totalHoldNs();
    try {
      device.moveTo(there);
    } catch (BlockException e) {
      throw new IllegalStateException("nobody else uses the disk, and yet", e);
    }
    return device.moveStats().totalHoldNs() - before;
  }

  private void submit(int slot, int type, SplittableRandom random) {
    long sector = random.nextLong(blocks) * (Workload.BLOCK_BYTES / 512);
    if (!queue.transfer(slot, type, sector, Workload.BLOCK_BYTES)) {
      throw new IllegalStateException("the ring is full");
    }
  }

  @Override
  public void close() throws IOException {
    driver.close();
    mainLoop.<Void, IOException>control(
        "close",
        () -> {
          device.close();
          graph.closeAll();
          return null;
        });
    registration.close();
    otherRegistration.close();
    ioThread.close();
    otherThread.close();
    mainLoop.close();
    memory.close();
  }
}
