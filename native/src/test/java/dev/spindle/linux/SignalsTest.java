// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

/** Every test has a thread of its own: a signal mask is a thread's, and stays. */
class SignalsTest {
  private static <T> T inThread(Callable<T> work) throws Exception {
    FutureTask<T> task = new FutureTask<>(work);
    Thread.ofPlatform().start(task);
    return task.get();
  }

  @Test
  void aBlockedSignalStaysPendingUntilItIsTaken() throws Exception {
    inThread(
        () -> {
          assertFalse(Signals.isBlocked(Signals.KICK));
          Signals.block(Signals.KICK);
          assertTrue(Signals.isBlocked(Signals.KICK));
          assertEquals(0, Signals.consumePending(Signals.KICK));
          int self = Signals.gettid();
          assertTrue(Signals.send(self, Signals.KICK));
          assertTrue(Signals.send(self, Signals.KICK));
          assertEquals(2, Signals.consumePending(Signals.KICK));
          assertEquals(0, Signals.consumePending(Signals.KICK));
          Signals.unblock(Signals.KICK);
          assertFalse(Signals.isBlocked(Signals.KICK));
          return null;
        });
  }

  @Test
  void theKernelAgreesOnThreadAndMask() throws Exception {
    inThread(
        () -> {
          int tid = Signals.gettid();
          assertEquals(
              Path.of("/proc/thread-self").toRealPath().getFileName().toString(),
              Integer.toString(tid));
          Signals.block(Signals.KICK);
          String status = Files.readString(Path.of("/proc/self/task/" + tid + "/status"));
          String blocked =
              status.lines().filter(line -> line.startsWith("SigBlk:")).findFirst().orElseThrow();
          assertEquals(
              Signals.blocked(),
              Long.parseUnsignedLong(blocked.substring("SigBlk:".length()).strip(), 16));
          return null;
        });
  }

  @Test
  void aThreadThatHasEndedIsTold() throws Exception {
    int tid = inThread(Signals::gettid);
    Path task = Path.of("/proc/self/task/" + tid);
    while (Files.exists(task)) {
      Thread.onSpinWait();
    }
    assertFalse(Signals.send(tid, Signals.KICK));
  }

  @Test
  void thereAreSixtyFourSignals() {
    assertThrows(IllegalArgumentException.class, () -> Signals.block(0));
    assertThrows(IllegalArgumentException.class, () -> Signals.block(65));
  }
}
