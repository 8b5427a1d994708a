// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.job.ErrorAction;
import dev.spindle.devices.virtio.blk.IoErrorListener;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Tells of a disk's errors, and stops the machine for those that ask for it. Of errors that do not,
 * one a second is told, however many there are. Any thread; never waits.
 */
public final class DiskErrorReports implements IoErrorListener {
  private static final long PAUSE_NS = 1_000_000_000;

  /** Told of errors. */
  @FunctionalInterface
  public interface Listener {
    /**
     * A request has failed. Control side.
     *
     * @param errno positive
     */
    void failed(VirtioBlkDevice disk, Operation operation, ErrorAction action, int errno);
  }

  private final Machine machine;
  private final VirtioBlkDevice disk;
  private final List<Listener> listeners;
  private final AtomicLong lastToldNs = new AtomicLong(System.nanoTime() - PAUSE_NS);

  DiskErrorReports(Machine machine, VirtioBlkDevice disk, List<Listener> listeners) {
    this.machine = machine;
    this.disk = disk;
    this.listeners = listeners;
  }

  @Override
  public void failed(Operation operation, ErrorAction action, int errno) {
    long now = System.nanoTime();
    long last = lastToldNs.get();
    boolean due = now - last >= PAUSE_NS && lastToldNs.compareAndSet(last, now);
    if (!due && action != ErrorAction.STOP) {
      return;
    }
    machine.post(
        "io-error",
        stopped -> {
          listeners.forEach(listener -> listener.failed(disk, operation, action, errno));
          if (action == ErrorAction.STOP) {
            stopped.requestStop(RunState.IO_ERROR);
          }
        });
  }
}
