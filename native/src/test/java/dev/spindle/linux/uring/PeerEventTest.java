// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.linux.Allocation;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Poll;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PeerEventTest {
  /** The most that a counter holds after a write: another one would wait. */
  private static final long FULL = -2;

  @Test
  void addsOneAsAWriteDoes() throws Exception {
    try (EventFd event = EventFd.create();
        PeerEvent peer = PeerEvent.of(event)) {
      assertEquals(Poll.TIMED_OUT, Poll.await(0, event.fd()));
      for (int i = 1; i <= 1000; i++) {
        peer.signal();
        assertEquals(0, Poll.await(0, event.fd()));
        assertEquals(1, event.read());
      }
      Allocation.assertNone(peer::signal);
    }
  }

  @Test
  void outlivesTheDescriptorItWasMadeOf() throws Exception {
    EventFd event = EventFd.create();
    try (EventFd same = EventFd.of(event.fd().duplicate());
        PeerEvent peer = PeerEvent.of(event)) {
      event.close();
      peer.signal();
      assertEquals(1, same.read());
    }
  }

  @Test
  void waitsForNobodyWhoHasFilledTheCounter() throws Exception {
    try (EventFd event = EventFd.create();
        PeerEvent peer = PeerEvent.of(event)) {
      event.add(FULL);
      event.fd().setNonBlocking(false);
      peer.signal();
      peer.signal();
      assertEquals(0, Poll.await(0, event.fd()));
    }
  }

  /**
   * A write that looks at the flags and then at the counter is caught in between, sooner or later.
   */
  @Test
  void waitsForNobodyWhoChangesTheFlagsMeanwhile() throws Exception {
    AtomicBoolean done = new AtomicBoolean();
    try (EventFd event = EventFd.create();
        PeerEvent peer = PeerEvent.of(event)) {
      event.add(FULL);
      Thread changing =
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (boolean on = false; !done.get(); on = !on) {
                      setNonBlocking(event, on);
                    }
                  });
      try {
        for (int i = 0; i < 200_000; i++) {
          peer.signal();
        }
      } finally {
        done.set(true);
        changing.join();
      }
    }
  }

  private static void setNonBlocking(EventFd event, boolean on) {
    try {
      event.fd().setNonBlocking(on);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
