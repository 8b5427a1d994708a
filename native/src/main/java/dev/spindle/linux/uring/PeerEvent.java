// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import dev.spindle.linux.EventFd;
import dev.spindle.linux.LinuxException;
import java.io.UncheckedIOException;

/**
 * A way to signal an eventfd that somebody else has as well, who is not trusted, without ever
 * waiting for him. He can fill its counter, and change the flags of the file that both share while
 * a write looks at them: a write of ours would then wait until he reads, through a ring too.
 *
 * <p>So the kernel has to signal: a ring with nothing in it but an operation that does nothing,
 * whose completion it reports by the eventfd. That adds 1 as a write does, and where the counter is
 * full, nobody waits. It costs some 0.3 microseconds more than a write.
 *
 * <p>Any thread, one at a time. Signalling allocates nothing.
 */
public final class PeerEvent implements AutoCloseable {
  private static final CompletionHandler NOBODY = (userData, result, more) -> {};

  private final IoUring ring;

  private PeerEvent(IoUring ring) {
    this.ring = ring;
  }

  /**
   * Makes a way to an eventfd.
   *
   * @param event stays the caller's, who may close it: this keeps its own hold on the counter
   */
  public static PeerEvent of(EventFd event) throws LinuxException {
    IoUring ring = IoUring.createUnowned(1);
    try {
      ring.signalCompletions(event);
      return new PeerEvent(ring);
    } catch (LinuxException e) {
      ring.close();
      throw e;
    }
  }

  /** Adds 1 to the counter. A counter that is full stays as it is: it is signalled already. */
  public void signal() {
    // There is room unless the kernel did not take the last one: then that one is taken now.
    ring.submission().prepNop(0);
    try {
      ring.submit();
    } catch (LinuxException e) {
      throw new UncheckedIOException(e);
    }
    ring.reap(NOBODY);
  }

  @Override
  public void close() {
    ring.close();
  }
}
