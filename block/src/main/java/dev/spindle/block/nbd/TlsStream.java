// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A connection's bytes by TLS, encrypted and decrypted on the context's thread. */
final class TlsStream implements NbdStream, NbdStream.Listener {
  private static final Logger LOG = LoggerFactory.getLogger(TlsStream.class);

  private final NbdStream below;
  private final TlsBuffers tls;
  private final IoVector incoming = new IoVector(1);
  private final IoVector outgoing = new IoVector(1);
  private final ByteBuffer source = ByteBuffer.allocateDirect(TlsBuffers.RECORD_BYTES);
  private final MemorySegment sourceMemory = MemorySegment.ofBuffer(source);

  private AioContext context;
  private Listener listener;

  /** Where the next bytes are wanted; null if nobody waits. */
  private IoVector wanted;

  /** Bytes of what is being sent that are encrypted in {@link #outgoing}. */
  private int carried;

  /** Whether somebody waits for them to be sent; otherwise it is the engine's own message. */
  private boolean sending;

  private boolean sendingBelow;

  /** What is to be sent once the engine's own message is gone. */
  private IoVector pending;

  /** Nothing new is begun. */
  private boolean stopping;

  /** What has gone wrong with the encryption, once and for all. */
  private boolean broken;

  TlsStream(NbdStream below, TlsBuffers tls) {
    this.below = below;
    this.tls = tls;
  }

  @Override
  public void start(AioContext newContext, Listener newListener) {
    context = newContext;
    listener = newListener;
    stopping = false;
    below.start(newContext, this);
  }

  @Override
  public void receive(IoVector buffers) {
    wanted = buffers;
    if (decrypt()) {
      // Never within this call.
      context.execute(this::deliver);
    } else {
      receiveBelow();
    }
  }

  /** Whether there is something to tell who waits. */
  private boolean decrypt() {
    try {
      while (!broken && !tls.plain().hasRemaining() && tls.decrypt()) {
        for (Runnable task = tls.engine.getDelegatedTask();
            task != null;
            task = tls.engine.getDelegatedTask()) {
          task.run();
        }
      }
    } catch (SSLException e) {
      fail(e);
    }
    if (!broken) {
      answerIfAsked();
    }
    return broken || tls.plain().hasRemaining() || tls.isClosed();
  }

  private void fail(SSLException e) {
    LOG.debug("TLS: {}", e.getMessage());
    broken = true;
  }

  /**
   * Sends what the engine has to say of its own (new keys), unless something is on its way: then it
   * is time for it when that has gone.
   */
  private void answerIfAsked() {
    boolean free = !sendingBelow && !stopping && outgoing.totalBytes() == 0;
    if (!free || tls.engine.getHandshakeStatus() != HandshakeStatus.NEED_WRAP) {
      return;
    }
    carried = 0;
    tls.clearEncrypted();
    try {
      tls.encryptNothing();
    } catch (SSLException e) {
      fail(e);
    }
    outgoing.clear();
    outgoing.add(tls.encryptedMemory, 0, tls.encryptedBytes());
    if (outgoing.totalBytes() > 0) {
      sendBelow();
    }
  }

  private void deliver() {
    IoVector target = wanted;
    if (target == null) {
      return;
    }
    wanted = null;
    if (broken) {
      listener.received(-Errno.EPROTO);
      return;
    }
    ByteBuffer plain = tls.plain();
    int length = (int) Math.min(plain.remaining(), target.totalBytes());
    if (length > 0) {
      MemorySegment bytes = MemorySegment.ofBuffer(plain);
      target.copyFrom(0, bytes, 0, length);
      plain.position(plain.position() + length);
    }
    listener.received(length);
  }

  private void receiveBelow() {
    int at = tls.receiveAt();
    incoming.clear();
    incoming.add(tls.receivedMemory, at, tls.receiveRoom());
    below.receive(incoming);
  }

  @Override
  public void received(int result) {
    if (result <= 0) {
      wanted = null;
      listener.received(result);
      return;
    }
    tls.wereReceived(result);
    if (decrypt()) {
      deliver();
    } else if (stopping) {
      wanted = null;
      listener.received(-Errno.ECANCELED);
    } else {
      receiveBelow();
    }
  }

  @Override
  public void send(IoVector buffers) {
    sending = true;
    if (sendingBelow) {
      // What the engine itself has to say goes first.
      pending = buffers;
      return;
    }
    if (outgoing.totalBytes() == 0) {
      encrypt(buffers);
    }
    sendBelow();
  }

  private void encrypt(IoVector buffers) {
    tls.clearEncrypted();
    carried = 0;
    try {
      while (!broken && carried < buffers.totalBytes() && tls.hasRoomToEncrypt()) {
        int length = (int) Math.min(TlsBuffers.RECORD_BYTES, buffers.totalBytes() - carried);
        buffers.copyTo(carried, sourceMemory, 0, length);
        source.clear().limit(length);
        // One record, which may take less, or be the engine's own.
        int taken = tls.encrypt(source);
        carried += taken;
        if (taken == 0) {
          break;
        }
      }
    } catch (SSLException e) {
      fail(e);
    }
    broken |= tls.encryptedBytes() == 0;
    outgoing.clear();
    outgoing.add(tls.encryptedMemory, 0, tls.encryptedBytes());
  }

  private void sendBelow() {
    if (broken) {
      if (sending) {
        sending = false;
        context.execute(() -> listener.sent(-Errno.EPROTO));
      }
      return;
    }
    sendingBelow = true;
    below.send(outgoing);
  }

  @Override
  public void sent(int result) {
    sendingBelow = false;
    outgoing.advance(Math.max(result, 0));
    boolean more = outgoing.totalBytes() > 0 || pending != null;
    if (result < 0 || (more && stopping)) {
      boolean waited = sending;
      sending = false;
      pending = null;
      if (waited) {
        listener.sent(result < 0 ? result : -Errno.ECANCELED);
      }
      return;
    }
    if (outgoing.totalBytes() > 0) {
      sendBelow();
      return;
    }
    if (pending != null) {
      IoVector next = pending;
      pending = null;
      encrypt(next);
      sendBelow();
      return;
    }
    int told = carried;
    carried = 0;
    if (sending) {
      sending = false;
      listener.sent(told);
    }
    if (!broken) {
      answerIfAsked();
    }
  }

  @Override
  public void stop(Runnable stopped) {
    stopping = true;
    below.stop(stopped);
  }

  @Override
  public void sendLast(MemorySegment bytes) {
    throw new UnsupportedOperationException("the last words here are TLS's own");
  }

  /**
   * Says that it is the end by TLS as well (close_notify): a mere end may be somebody else's doing.
   */
  @Override
  public void shutdown() {
    if (!broken && !sendingBelow && outgoing.totalBytes() == 0 && !tls.engine.isOutboundDone()) {
      tls.engine.closeOutbound();
      tls.clearEncrypted();
      try {
        tls.encryptNothing();
      } catch (SSLException e) {
        fail(e);
      }
      if (tls.encryptedBytes() > 0) {
        below.sendLast(tls.encryptedMemory.asSlice(0, tls.encryptedBytes()));
      }
    }
    below.shutdown();
  }

  @Override
  public void close() {
    below.close();
  }
}
