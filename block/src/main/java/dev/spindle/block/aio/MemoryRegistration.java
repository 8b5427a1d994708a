// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import dev.spindle.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Memory registered with a context's ring, so that reads and writes of it cost the kernel less
 * ({@link dev.spindle.linux.uring.IoUring#registerMemory}). Whoever owns memory that lives long
 * holds one of these for each context which its requests go through. Every page of the memory is
 * there and pinned until {@link #close}, which must come before the memory is given back.
 *
 * <p>Where the kernel refuses, requests go on as if nothing had been registered.
 */
public final class MemoryRegistration implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MemoryRegistration.class);

  private final AioContext context;

  /** Negative if the kernel has refused or this has been closed. On the context's thread. */
  private int handle;

  private final int refusal;

  MemoryRegistration(AioContext context, MemorySegment memory) {
    this.context = context;
    this.handle = context.ring().registerMemory(memory);
    this.refusal = Math.max(0, -handle);
    if (handle < 0) {
      LOG.warn(
          "{}: io_uring does not take {} bytes of memory as registered buffers ({}: {}), so that"
              + " each request on them costs a little more",
          context.name(),
          memory.byteSize(),
          Errno.name(refusal),
          Errno.message(refusal));
    }
  }

  /**
   * Returns the {@link Errno} with which the kernel has refused, or 0 if it has not. Any thread.
   */
  public int refusal() {
    return refusal;
  }

  /**
   * Ends the registration; requests in flight still complete. Idempotent. Any thread that may wait.
   */
  @Override
  public void close() {
    try {
      context.call(
          () -> {
            context.ring().unregisterMemory(handle);
            handle = -1;
            return null;
          });
    } catch (RejectedExecutionException e) {
      LOG.debug("{} has ended, and its ring with all that was registered", context.name());
    }
  }
}
