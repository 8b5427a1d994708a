// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import dev.spindle.vmm.machine.VirtualMachine;

/** Moves a disk back and forth until closed. */
final class Mover implements AutoCloseable {
  private final Thread thread;
  private volatile boolean stopping;
  private volatile int moves;
  private volatile Exception failure;

  Mover(VirtualMachine machine, String disk) {
    thread =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    for (int i = 1; !stopping; i++) {
                      machine.moveDisk(disk, GuestMachine.IO_THREADS.get(i % 2));
                      moves = i;
                      Thread.sleep(50);
                    }
                  } catch (Exception e) {
                    failure = e;
                  }
                });
  }

  int moves() {
    return moves;
  }

  @Override
  public void close() throws Exception {
    stopping = true;
    thread.join();
    if (failure != null) {
      throw failure;
    }
  }
}
