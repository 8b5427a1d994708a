// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.export.nbd.TestCertificates;
import dev.spindle.block.tls.X509Credentials;
import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** New keys in the middle of everything, with the JDK's engine at the other end. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TlsStreamTest {
  private static final byte[] WORDS = "with new keys".getBytes(US_ASCII);

  @TempDir static Path certificates;

  /** A connection that a test carries the bytes of by hand. */
  private static final class Carrier implements NbdStream {
    private Listener listener;
    private IoVector receiving;
    private IoVector sending;
    private MemorySegment last;

    @Override
    public void start(AioContext context, Listener listener) {
      this.listener = listener;
    }

    @Override
    public void receive(IoVector buffers) {
      assertNull(receiving);
      receiving = buffers;
    }

    @Override
    public void send(IoVector buffers) {
      assertNull(sending);
      sending = buffers;
    }

    /** What the peer has encrypted arrives. */
    void deliver(TlsBuffers peer) {
      IoVector target = receiving;
      receiving = null;
      int length = peer.encryptedBytes();
      target.copyFrom(0, peer.encryptedMemory, 0, length);
      peer.clearEncrypted();
      listener.received(length);
    }

    /** What is being sent reaches the peer, all of it; returns what the peer decrypts. */
    byte[] finishSend(TlsBuffers peer) throws Exception {
      IoVector sent = sending;
      sending = null;
      int length = (int) sent.totalBytes();
      sent.copyTo(0, peer.receivedMemory, peer.receiveAt(), length);
      peer.wereReceived(length);
      byte[] words = decrypted(peer);
      listener.sent(length);
      return words;
    }

    @Override
    public void stop(Runnable stopped) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void sendLast(MemorySegment bytes) {
      last = bytes;
    }

    @Override
    public void shutdown() {
      assertNotNull(last, "the end by TLS comes before the end");
    }

    @Override
    public void close() {}
  }

  /** Notes what has become of transfers. */
  private static final class Notes implements NbdStream.Listener {
    private final List<String> events = new ArrayList<>();

    @Override
    public void received(int result) {
      events.add("received " + result);
    }

    @Override
    public void sent(int result) {
      events.add("sent " + result);
    }
  }

  private static byte[] decrypted(TlsBuffers peer) throws Exception {
    while (peer.decrypt()) {
      // One record each.
    }
    byte[] words = new byte[peer.plain().remaining()];
    peer.plain().get(words);
    return words;
  }

  private static void shakeHands(TlsBuffers one, TlsBuffers other) throws Exception {
    one.engine.beginHandshake();
    other.engine.beginHandshake();
    while (step(one, other) || step(other, one)) {
      // Until neither has anything to say.
    }
    assertEquals(HandshakeStatus.NOT_HANDSHAKING, one.engine.getHandshakeStatus());
    assertEquals(HandshakeStatus.NOT_HANDSHAKING, other.engine.getHandshakeStatus());
  }

  private static boolean step(TlsBuffers from, TlsBuffers to) throws Exception {
    for (Runnable task = from.engine.getDelegatedTask();
        task != null;
        task = from.engine.getDelegatedTask()) {
      task.run();
    }
    if (from.engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
      from.clearEncrypted();
      from.encryptNothing();
      int length = from.encryptedBytes();
      MemorySegment.copy(from.encryptedMemory, 0, to.receivedMemory, to.receiveAt(), length);
      to.wereReceived(length);
      from.clearEncrypted();
      return true;
    }
    return from.decrypt();
  }

  private static IoVector vector(Arena arena, byte[] bytes) {
    IoVector vector = new IoVector(1);
    vector.add(arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes), 0, bytes.length);
    return vector;
  }

  @Test
  void newKeysThatAreAskedForDuringASendAreAnsweredAfterIt() throws Exception {
    TestCertificates.make(certificates);
    String folder = "id=tls,dir=" + certificates + ",endpoint=";
    TlsBuffers own =
        new TlsBuffers(X509Credentials.read(Disk.options(folder + "server")).serverEngine());
    TlsBuffers peer =
        new TlsBuffers(
            X509Credentials.read(Disk.options(folder + "client")).clientEngine("localhost", 0));
    shakeHands(peer, own);
    try (IoThread thread = IoThread.start("io0", ContextOptions.IOTHREAD);
        Arena arena = Arena.ofShared()) {
      AioContext context = thread.context();
      context.<Void, Exception>call(
          () -> {
            exchange(context, arena, own, peer);
            return null;
          });
    }
  }

  private static void exchange(AioContext context, Arena arena, TlsBuffers own, TlsBuffers peer)
      throws Exception {
    Carrier carrier = new Carrier();
    Notes notes = new Notes();
    TlsStream stream = new TlsStream(carrier, own);
    stream.start(context, notes);
    MemorySegment room = arena.allocate(100);
    IoVector target = new IoVector(1);
    target.add(room, 0, 100);
    stream.receive(target);
    stream.send(vector(arena, WORDS));
    IoVector first = carrier.sending;

    peer.engine.beginHandshake();
    peer.encryptNothing();
    carrier.deliver(peer);
    assertEquals(first, carrier.sending);
    assertEquals(List.of(), notes.events);

    assertEquals(new String(WORDS, US_ASCII), new String(carrier.finishSend(peer), US_ASCII));
    assertEquals(List.of("sent " + WORDS.length), notes.events);
    assertNotNull(carrier.sending, "the answer to the new keys");
    assertEquals(0, carrier.finishSend(peer).length);
    assertNull(carrier.sending);

    peer.encrypt(ByteBuffer.wrap(WORDS));
    carrier.deliver(peer);
    assertEquals("received " + WORDS.length, notes.events.getLast());
    assertEquals(
        new String(WORDS, US_ASCII),
        new String(room.asSlice(0, WORDS.length).toArray(ValueLayout.JAVA_BYTE), US_ASCII));
    stream.send(vector(arena, WORDS));
    assertEquals(new String(WORDS, US_ASCII), new String(carrier.finishSend(peer), US_ASCII));
    assertFalse(peer.isClosed());

    stream.shutdown();
    int length = (int) carrier.last.byteSize();
    MemorySegment.copy(carrier.last, 0, peer.receivedMemory, peer.receiveAt(), length);
    peer.wereReceived(length);
    assertEquals(0, decrypted(peer).length);
    assertTrue(peer.isClosed());
  }
}
