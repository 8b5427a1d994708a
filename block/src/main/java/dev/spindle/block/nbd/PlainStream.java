// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.RingOp;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.SocketMessage;
import dev.spindle.linux.StreamSocket;
import dev.spindle.linux.uring.SubmissionQueue;
import java.lang.foreign.MemorySegment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Bytes as they are on the socket, by the context's ring. */
public final class PlainStream implements NbdStream {
  private static final Logger LOG = LoggerFactory.getLogger(PlainStream.class);

  private final StreamSocket socket;
  private Listener listener;
  private AioContext context;
  private int file;
  private Transfer receiving;
  private Transfer sending;
  private Runnable whenStopped;

  /** Takes over a connected socket. */
  public PlainStream(StreamSocket socket) {
    this.socket = socket;
  }

  @Override
  public void start(AioContext context, Listener listener) {
    this.context = context;
    this.listener = listener;
    file = context.ring().registerFile(socket.fd());
    receiving = new Transfer(false);
    sending = new Transfer(true);
  }

  @Override
  public void receive(IoVector buffers) {
    receiving.begin(buffers);
  }

  @Override
  public void send(IoVector buffers) {
    sending.begin(buffers);
  }

  @Override
  public void stop(Runnable stopped) {
    whenStopped = stopped;
    receiving.cancel();
    sending.cancel();
    if (receiving.isAtRest() && sending.isAtRest()) {
      // Never within this call: what the caller still has to do comes first.
      context.execute(this::checkStopped);
    }
  }

  private void checkStopped() {
    if (whenStopped != null && receiving.isAtRest() && sending.isAtRest()) {
      receiving.dispose();
      sending.dispose();
      context.ring().unregisterFile(file);
      Runnable stopped = whenStopped;
      whenStopped = null;
      stopped.run();
    }
  }

  @Override
  public void sendLast(MemorySegment bytes) {
    try {
      socket.sendNow(bytes, (int) bytes.byteSize());
    } catch (LinuxException e) {
      // Then the other end hears of the end by the end alone.
      LOG.debug("{}", e.getMessage());
    }
  }

  @Override
  public void shutdown() {
    try {
      socket.shutdown();
    } catch (LinuxException e) {
      // Then the connection has ended already.
      LOG.debug("{}", e.getMessage());
    }
  }

  @Override
  public void close() {
    socket.close();
  }

  /** One direction. */
  private final class Transfer extends RingOp {
    private final boolean out;
    private SocketMessage message;
    private boolean inFlight;

    /** Made when there is something to cancel; null if nobody wants to. */
    private Cancellation cancellation;

    Transfer(boolean out) {
      super(PlainStream.this.context);
      this.out = out;
    }

    void begin(IoVector buffers) {
      if (message == null || message.buffers() != buffers) {
        message = new SocketMessage(buffers);
      }
      inFlight = true;
      submit();
    }

    private void submit() {
      while (!prepare()) {
        context().submitNow();
      }
      context().prepared();
    }

    private boolean prepare() {
      SubmissionQueue queue = context().ring().submission();
      return out
          ? queue.prepSend(file, message, token())
          : queue.prepReceive(file, message, token());
    }

    @Override
    protected void complete(int result, boolean more) {
      boolean interrupted = result == -Errno.EINTR || result == -Errno.EAGAIN;
      if (interrupted && whenStopped == null) {
        submit();
        return;
      }
      inFlight = false;
      // The kernel's worker threads end what is cancelled by interrupting it.
      int told = interrupted ? -Errno.ECANCELED : result;
      try {
        if (out) {
          listener.sent(told);
        } else {
          listener.received(told);
        }
      } finally {
        checkStopped();
      }
    }

    void cancel() {
      if (inFlight) {
        cancellation = new Cancellation(this);
        cancellation.submit();
      }
    }

    boolean isAtRest() {
      return !inFlight && cancellation == null;
    }

    void dispose() {
      release();
    }
  }

  /** Asks the kernel to end a transfer. */
  private final class Cancellation extends RingOp {
    private final Transfer transfer;

    Cancellation(Transfer transfer) {
      super(PlainStream.this.context);
      this.transfer = transfer;
    }

    void submit() {
      while (!context().ring().submission().prepCancel(transfer.token(), token())) {
        context().submitNow();
      }
    }

    @Override
    protected void complete(int result, boolean more) {
      // The kernel refuses while it is at work on it.
      if (result == -Errno.EALREADY && transfer.inFlight) {
        submit();
        return;
      }
      release();
      transfer.cancellation = null;
      checkStopped();
    }
  }
}
