// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.GuestArea;
import dev.spindle.devices.virtio.driver.GuestDriver;
import java.util.Map;

/** A block device with its driver, on real iothreads, without a machine around them. */
final class BlkFixture implements AutoCloseable {
  final MainLoop mainLoop;
  final BlockGraph graph;
  final IoThread io0;
  final IoThread io1;
  final GuestMemory memory;
  final GuestArea area;

  /** Throttle group {@code g}, for whoever wants to be in it. */
  final ThrottleGroup group;

  final BlockNode node;
  final VirtioBlkDevice device;
  private GuestDriver driver;
  private boolean deviceClosed;

  BlkFixture(String blockdev, String properties, int queues) throws Exception {
    this(ThrottleLimits.NONE, blockdev, properties, queues);
  }

  BlkFixture(ThrottleLimits limits, String blockdev, String properties, int queues)
      throws Exception {
    mainLoop = MainLoop.start();
    graph = new BlockGraph(mainLoop);
    io0 = IoThread.start("io0", ContextOptions.IOTHREAD);
    io1 = IoThread.start("io1", ContextOptions.IOTHREAD);
    memory = GuestMemory.allocate(64 << 20);
    area = new GuestArea(memory, 1 << 20, 63 << 20);
    group = mainLoop.control("group", () -> graph.throttleGroups().add("g", limits));
    node = mainLoop.control("open", () -> graph.open(options(blockdev)));
    VirtioBlkOptions deviceOptions = VirtioBlkOptions.from(options(properties));
    device =
        mainLoop.control(
            "device",
            () ->
                new VirtioBlkDevice(
                    "vd0",
                    mainLoop,
                    node,
                    deviceOptions,
                    QueuePlacement.all(queues, io0.context())));
  }

  static Options options(String description) throws OptionException {
    return new Options(
        "test", description.isEmpty() ? Map.of() : KeyValues.parse("test", description, null));
  }

  GuestDriver start(long ringFeatures, long deviceFeatures, int queues) throws Exception {
    if (driver != null) {
      driver.close();
    }
    driver = GuestDriver.start(device, area, ringFeatures, deviceFeatures, queues, 64);
    return driver;
  }

  BlkDriver queue(int index, int slots, int bufferBytes) {
    return new BlkDriver(driver, index, area, slots, bufferBytes);
  }

  /** Control work that returns nothing. */
  @FunctionalInterface
  interface Work {
    void run() throws Exception;
  }

  void control(Work work) throws Exception {
    mainLoop.<Void, Exception>control(
        "test",
        () -> {
          work.run();
          return null;
        });
  }

  void move(IoThread target) throws Exception {
    control(() -> device.moveTo(target.context()));
  }

  /** Closes the device, whose driver has not reset it. */
  void closeDevice() throws Exception {
    control(device::close);
    deviceClosed = true;
  }

  @Override
  public void close() throws Exception {
    if (driver != null) {
      driver.close();
    }
    mainLoop.control(
        "close",
        () -> {
          if (!deviceClosed) {
            device.close();
          }
          graph.closeAll();
          return null;
        });
    io0.close();
    io1.close();
    mainLoop.close();
    memory.close();
  }
}
