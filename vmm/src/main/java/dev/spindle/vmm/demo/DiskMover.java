// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.demo;

import dev.spindle.block.graph.BlockException;
import dev.spindle.vmm.machine.VirtualMachine;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/** Moves a disk back and forth between iothreads, on a thread of its own, until it is closed. */
final class DiskMover implements AutoCloseable {
  private static final long PAUSE_NS = 20_000_000;

  private final VirtualMachine machine;
  private final String disk;
  private final List<String> ioThreads;
  private final Thread thread;

  /** Set once, by {@link #close}. */
  private volatile boolean stopping;

  /** Written by the moving thread, at its end. */
  private volatile BlockException failure;

  /** Starts moving at once. */
  DiskMover(VirtualMachine machine, String disk, List<String> ioThreads) {
    this.machine = machine;
    this.disk = disk;
    this.ioThreads = ioThreads;
    this.thread = Thread.ofPlatform().name("disk-mover").start(this::run);
  }

  private void run() {
    for (int i = 1; !stopping; i++) {
      try {
        machine.moveDisk(disk, ioThreads.get(i % ioThreads.size()));
      } catch (BlockException e) {
        failure = e;
        return;
      }
      LockSupport.parkNanos(PAUSE_NS);
    }
  }

  /**
   * Stops; the last move is complete on return.
   *
   * @throws BlockException if a move was refused
   */
  @Override
  public void close() throws BlockException {
    stopping = true;
    LockSupport.unpark(thread);
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (failure != null) {
      throw failure;
    }
  }
}
