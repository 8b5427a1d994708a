// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.devices.virtio.blk.VirtioBlkStats.Counter;
import dev.spindle.vmm.machine.RunState;
import dev.spindle.vmm.machine.VirtualMachine;

/**
 * A disk that a guest writes to, at a pace that is set, so that a test can do all it wants while
 * the guest does. Not for the control side, but for what says so.
 */
final class BusyDisk {
  private static final String PACE = "iops-total=20";

  private final VirtualMachine machine;
  private final VirtioBlkDevice device;

  BusyDisk(VirtualMachine machine, String id) throws Exception {
    this.machine = machine;
    this.device = machine.disk(id);
    control(
        () ->
            device
                .backend()
                .setThrottle(new ThrottleGroup("pace", limits(PACE), System.nanoTime())));
  }

  /** Lets the guest write as fast as it can. */
  void hurry() throws Exception {
    control(() -> device.backend().setThrottle(null));
  }

  VirtioBlkDevice device() {
    return device;
  }

  /** The node that the guest's requests go to. Control side. */
  BlockNode node() {
    return device.backend().node();
  }

  static ThrottleLimits limits(String text) throws Exception {
    return ThrottleLimits.parse(options(text), "");
  }

  static Options options(String text) throws Exception {
    return new Options("test", KeyValues.parse("test", text, null));
  }

  /** Control work that returns nothing. */
  @FunctionalInterface
  interface Work {
    void run() throws Exception;
  }

  void control(Work work) throws Exception {
    machine.<Void, Exception>control(
        "test",
        () -> {
          work.run();
          return null;
        });
  }

  /** Does something while the guest stands still. */
  void whileStopped(Work work) throws Exception {
    control(
        () -> {
          machine.machine().vmStop(RunState.PAUSED);
          work.run();
          machine.machine().vmStart();
        });
  }

  private long writes() throws Exception {
    return machine.<Long, Exception>control(
        "count",
        () -> device.queueStats().stream().mapToLong(queue -> queue.get(Counter.WRITES)).sum());
  }

  /** Waits until the guest has written so many more times. */
  void awaitWrites(int more) throws Exception {
    long until = writes() + more;
    while (writes() < until) {
      // Nothing tells of a guest's writes, and there may be but one processor for it and us.
      Thread.sleep(20);
    }
  }
}
