// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls somebody each time an eventfd is signalled: a multishot poll, so that an event costs no
 * system call and no read of the eventfd. Owner thread only.
 */
public final class FdWatch extends RingOp {
  private static final Logger LOG = LoggerFactory.getLogger(FdWatch.class);

  private final Runnable onReady;
  private final int file;
  private boolean armed;
  private Runnable whenEnded;

  FdWatch(AioContext context, Fd fd, Runnable onReady) {
    super(context);
    this.onReady = onReady;
    this.file = context.ring().registerFile(fd);
  }

  void arm() {
    while (!context().ring().submission().prepPollMultishot(file, token())) {
      context().submitNow();
    }
    armed = true;
  }

  /**
   * Ends the watch. Until {@code whenEnded} has run the descriptor must stay open, and {@code
   * onReady} may be called once more.
   *
   * @param whenEnded runs on this context when the kernel has let go of the descriptor
   */
  public void end(Runnable whenEnded) {
    context().assertOwner();
    if (this.whenEnded != null) {
      throw new IllegalStateException("this watch has been ended already");
    }
    this.whenEnded = whenEnded;
    if (!armed) {
      // Never within this call: what the caller still has to do in this turn comes first.
      context().execute(this::ended);
      return;
    }
    new Removal().submit();
  }

  @Override
  protected void complete(int result, boolean more) {
    armed = more;
    try {
      if (result > 0 && whenEnded == null) {
        onReady.run();
      }
    } finally {
      if (!more) {
        pollEnded(result);
      }
    }
  }

  private void pollEnded(int result) {
    if (whenEnded != null) {
      ended();
      return;
    }
    switch (result) {
      // What the kernel refuses to watch it would refuse again.
      case -Errno.EBADF, -Errno.EINVAL, -Errno.EOPNOTSUPP, -Errno.EPERM ->
          LOG.error("watch on {}: {}", context().name(), Errno.message(-result));
      // Nobody else ends it for good: the kernel gives up a multishot poll when the completion
      // queue overflows or memory is short, and may cancel it. An event that came meanwhile is
      // reported at once, for nobody resets the eventfd.
      default -> arm();
    }
  }

  private void ended() {
    context().ring().unregisterFile(file);
    release();
    whenEnded.run();
  }

  /** Asks the kernel to end the poll. */
  private final class Removal extends RingOp {
    Removal() {
      super(FdWatch.this.context());
    }

    void submit() {
      while (!context().ring().submission().prepPollRemove(FdWatch.this.token(), token())) {
        context().submitNow();
      }
    }

    @Override
    protected void complete(int result, boolean more) {
      // The kernel refuses while it is delivering an event of the same poll.
      if (result == -Errno.EALREADY && armed) {
        submit();
      } else {
        release();
      }
    }
  }
}
