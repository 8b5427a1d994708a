// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.bus.Bus;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Signals;
import dev.spindle.linux.kvm.KvmRun;
import dev.spindle.linux.kvm.Vcpu;
import dev.spindle.linux.kvm.VcpuExit;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One vCPU and the platform thread that executes it: runs the guest, carries port and memory
 * accesses to the buses, and waits while the machine is stopped. It starts out stopped.
 */
final class VcpuThread implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(VcpuThread.class);

  private final Vcpu vcpu;
  private final Bus ports;
  private final Bus memory;
  private final VcpuEvents events;
  private final Thread thread;

  /** The number of the thread on the host; 0 if it could not become the vCPU's. */
  private final CompletableFuture<Integer> threadId = new CompletableFuture<>();

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  /** What the thread is wanted to do; written with the lock, read without it between two runs. */
  private volatile Wish wish = Wish.PAUSE;

  /** Whether the thread is waiting, or has ended. Protected by the lock. */
  private boolean still;

  /** The guest has nothing more to do before the next reset. Only for the thread itself. */
  private boolean finished;

  private enum Wish {
    RUN,
    PAUSE,
    END
  }

  /** Makes the thread; the vCPU becomes its own and is closed by {@link #close}. */
  VcpuThread(Vcpu vcpu, Bus ports, Bus memory, VcpuEvents events) {
    this.vcpu = vcpu;
    this.ports = ports;
    this.memory = memory;
    this.events = events;
    this.thread =
        Thread.ofPlatform().name("vcpu" + vcpu.id()).daemon().unstarted(this::attachAndRun);
  }

  void start() {
    thread.start();
  }

  /** The number of the thread on the host. Waits for it to begin. */
  int threadId() {
    return threadId.join();
  }

  Vcpu vcpu() {
    return vcpu;
  }

  /** Lets the guest run. */
  void resume() {
    setWish(Wish.RUN);
  }

  /** Asks the thread to leave the guest; {@link #awaitStill} waits for it. */
  void requestPause() {
    setWish(Wish.PAUSE);
  }

  /** Waits until the thread is outside the guest and will stay there until {@link #resume}. */
  void awaitStill() {
    lock.lock();
    try {
      while (!still) {
        changed.awaitUninterruptibly();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Ends the thread and closes the vCPU. */
  @Override
  public void close() {
    setWish(Wish.END);
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    vcpu.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void setWish(Wish newWish) {
    lock.lock();
    try {
      wish = newWish;
      if (newWish == Wish.RUN) {
        still = false;
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    if (newWish != Wish.RUN) {
      try {
        vcpu.kick();
      } catch (LinuxException e) {
        throw new IllegalStateException("vCPU " + vcpu.id() + " cannot be stopped", e);
      }
    }
  }

  private void attachAndRun() {
    try {
      vcpu.attach();
      threadId.complete(Signals.gettid());
      try {
        while (awaitWish()) {
          execute();
        }
      } finally {
        vcpu.detach();
      }
    } catch (LinuxException e) {
      events.internalError("vCPU " + vcpu.id() + " cannot run: " + e.getMessage(), "");
    } catch (RuntimeException e) {
      LOG.error("vCPU {} ends with an error of Spindle's own", vcpu.id(), e);
      events.internalError("vCPU " + vcpu.id() + " met an error of Spindle's own: " + e, "");
    } finally {
      threadId.complete(0);
      lock.lock();
      try {
        finished = true;
        still = true;
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /** Waits for something to do; returns whether that is to run the guest. */
  private boolean awaitWish() {
    lock.lock();
    try {
      while (wish == Wish.PAUSE || (finished && wish == Wish.RUN)) {
        still = true;
        changed.signalAll();
        changed.awaitUninterruptibly();
      }
      still = wish != Wish.RUN;
      return wish == Wish.RUN;
    } finally {
      lock.unlock();
    }
  }

  /** Runs the guest until somebody wants something else. */
  private void execute() throws LinuxException {
    KvmRun run = vcpu.kvmRun();
    while (wish == Wish.RUN && !finished) {
      VcpuExit exit = vcpu.run();
      switch (exit) {
        case IO -> accessPort(run);
        case MMIO -> accessMemory(run);
        case INTERRUPTED, IRQ_WINDOW_OPEN, HLT -> {}
        case SHUTDOWN -> {
          events.resetRequested("vCPU " + vcpu.id() + " met a triple fault");
          finished = true;
        }
        case SYSTEM_EVENT -> systemEvent(run);
        default -> {
          events.internalError(
              VcpuFailure.describe(vcpu.id(), exit, run), VcpuFailure.registers(vcpu));
          finished = true;
        }
      }
    }
  }

  private void accessPort(KvmRun run) {
    int port = run.ioPort();
    int size = run.ioSize();
    int count = run.ioCount();
    if (run.ioIsWrite()) {
      for (int i = 0; i < count; i++) {
        ports.write(port, size, Integer.toUnsignedLong(run.ioData(i)));
      }
      // A guest that has asked for a reset must not go on as if nothing had happened.
      if (events.isPowerRequested()) {
        finished = true;
      }
    } else {
      for (int i = 0; i < count; i++) {
        run.setIoData(i, (int) ports.read(port, size));
      }
    }
  }

  private void accessMemory(KvmRun run) {
    long address = run.mmioAddress();
    int length = run.mmioLength();
    if (run.mmioIsWrite()) {
      memory.write(address, length, run.mmioData());
    } else {
      run.setMmioData(memory.read(address, length));
    }
  }

  private void systemEvent(KvmRun run) {
    switch (run.systemEventType()) {
      case KvmRun.SYSTEM_EVENT_SHUTDOWN -> events.shutdownRequested();
      case KvmRun.SYSTEM_EVENT_RESET -> events.resetRequested("the guest asked KVM for a reset");
      default -> events.guestPanicked();
    }
    finished = true;
  }
}
