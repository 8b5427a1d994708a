// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RovingThreadTest {
  private final CompletableFuture<Thread> self = new CompletableFuture<>();
  private final CompletableFuture<Void> done = new CompletableFuture<>();
  private final List<String> places = new CopyOnWriteArrayList<>();
  private volatile boolean woken;

  /** It is woken in the old context just before it is moved: nothing but settling helps then. */
  @Test
  void settlesWhereItHasBeenMovedTo() throws Exception {
    try (IoThread one = IoThread.start("one", ContextOptions.IOTHREAD);
        IoThread other = IoThread.start("other", ContextOptions.IOTHREAD)) {
      CompletableFuture<RovingThread> roving = new CompletableFuture<>();
      roving.complete(
          RovingThread.start("test", one.context(), () -> body(roving.join(), one, other)));
      Thread thread = self.join();
      CompletableFuture<Void> busy = new CompletableFuture<>();
      CompletableFuture<Void> moved = new CompletableFuture<>();
      one.context()
          .execute(
              () -> {
                busy.complete(null);
                moved.join();
              });
      busy.join();
      woken = true;
      LockSupport.unpark(thread);
      roving.join().moveTo(other.context());
      moved.complete(null);
      done.join();
      assertEquals(List.of("one", "one", "other"), places);
      assertEquals(other.context(), roving.join().context());
    }
  }

  private void body(RovingThread roving, IoThread one, IoThread other) {
    places.add(place(one, other));
    self.complete(Thread.currentThread());
    while (!woken) {
      LockSupport.park(this);
    }
    places.add(place(one, other));
    roving.settle();
    places.add(place(one, other));
    done.complete(null);
  }

  private static String place(IoThread one, IoThread other) {
    if (one.context().isOwner()) {
      return "one";
    }
    return other.context().isOwner() ? "other" : "nowhere";
  }
}
