// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.Config;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.Region;
import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.Poll;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A back end that answers as it is told and, once its one queue has been kicked, does what it is
 * told: to try what no real one does. Takes a connection at a time, on a thread of its own.
 */
final class HandMadeBackEnd implements AutoCloseable {
  static final int SECTORS = 2048;

  private static final int CONFIG_CHANGED = 2;

  /** Says what is answered, or nothing for the usual answer. */
  interface Answers {
    Optional<VhostUserMessage> to(VhostUserMessage request);
  }

  /** What it does to the queue, or to the connection. */
  interface Deed {
    void in(HandMadeBackEnd backEnd) throws IOException;
  }

  final AtomicInteger connections = new AtomicInteger();
  private final UnixSocket listener;
  private final Thread thread;
  private final Answers answers;
  private final Deed whenKicked;
  private volatile boolean closing;
  private volatile boolean onlyListening;
  private volatile long sectors = SECTORS;
  private volatile Fd channel;
  private VhostUserSocket socket;
  private Mapping memory;
  private VringAddress ring;
  private Fd kick;
  private EventFd call;

  HandMadeBackEnd(Path path, Answers answers, Deed whenKicked) throws LinuxException {
    this.answers = answers;
    this.whenKicked = whenKicked;
    this.listener = UnixSocket.listen(path, UnixSocket.Type.STREAM, 1);
    this.thread = Thread.ofPlatform().daemon().start(this::serve);
  }

  private void serve() {
    while (!closing && !onlyListening) {
      try (UnixSocket stream = listener.accept()) {
        connections.incrementAndGet();
        socket = new VhostUserSocket(stream);
        List<Fd> received = new ArrayList<>();
        try {
          converse(stream, received);
        } finally {
          received.forEach(Fd::close);
          if (memory != null) {
            memory.close();
            memory = null;
          }
        }
      } catch (IOException e) {
        // The front end has left in the middle, or this is being closed.
      }
    }
  }

  private void converse(UnixSocket stream, List<Fd> received) throws IOException {
    Optional<VhostUserMessage> next = socket.receiveRequest();
    while (next.isPresent()) {
      VhostUserMessage request = next.get();
      received.addAll(request.descriptors());
      note(request);
      Optional<VhostUserMessage> answer = answers.to(request).or(() -> usual(request));
      if (answer.isPresent()) {
        socket.send(answer.get());
      }
      if (request.request() == VhostUserRequest.SET_VRING_ENABLE) {
        Poll.await(Poll.FOREVER, kick, stream.fd());
        whenKicked.in(this);
      }
      next = socket.receiveRequest();
    }
  }

  private void note(VhostUserMessage request) throws LinuxException {
    switch (request.request()) {
      case SET_MEM_TABLE -> {
        Region region = ((MemoryTable) request.payload()).regions().getFirst();
        memory = Mapping.shared(request.descriptors().getFirst(), 0, region.bytes());
      }
      case SET_VRING_ADDR -> ring = (VringAddress) request.payload();
      case SET_VRING_KICK -> kick = request.descriptors().getFirst();
      case SET_VRING_CALL -> call = EventFd.of(request.descriptors().getFirst());
      case SET_BACKEND_REQ_FD -> channel = request.descriptors().getFirst();
      default -> {
        // Nothing to remember.
      }
    }
  }

  private Optional<VhostUserMessage> usual(VhostUserMessage request) {
    VhostUserPayload answer =
        switch (request.request()) {
          case GET_FEATURES ->
              new Word(VirtioFeatures.VERSION_1 | VhostUserFeatures.PROTOCOL_FEATURES);
          case GET_PROTOCOL_FEATURES ->
              new Word(VhostUserFeatures.CONFIG | VhostUserFeatures.BACKEND_REQ);
          case GET_CONFIG -> config(sectors);
          default -> null;
        };
    return Optional.ofNullable(answer).map(payload -> request.answer(payload, List.of()));
  }

  static Config config(long sectors) {
    byte[] bytes = new byte[FrontEndDisk.CONFIG_BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, sectors);
    return new Config(0, 0, bytes);
  }

  /** The descriptor that a request which has been made available begins with. */
  int available(int position) {
    long entry = RingFormat.RING_ENTRIES + 2L * position;
    return (short) RingFormat.SHORT.get(memory.segment(), place(ring.available()) + entry);
  }

  /** Puts an entry into the used ring, which then has {@code index} of them; and calls. */
  void use(int position, int id, int length, int index) {
    MemorySegment segment = memory.segment();
    long used = place(ring.used());
    long entry = used + RingFormat.RING_ENTRIES + 8L * position;
    RingFormat.INT.set(segment, entry, id);
    RingFormat.INT.set(segment, entry + 4, length);
    RingFormat.SHORT.setRelease(segment, used + RingFormat.RING_INDEX, (short) index);
    call.signal();
  }

  /** Has the disk another length, and says so. From any thread. */
  void resize(long newSectors) throws LinuxException {
    sectors = newSectors;
    say(CONFIG_CHANGED, 0);
  }

  /** Sends the head of a message on the channel. */
  void say(int code, int payloadBytes) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      channel.write(arena.allocateFrom(ValueLayout.JAVA_INT, code, 1, payloadBytes));
    }
  }

  /** Fills the counter that it is kicked by, so that a write of the front end would wait. */
  void fillKick() throws LinuxException {
    EventFd full = EventFd.of(kick);
    full.read();
    full.add(-2);
    kick.setNonBlocking(false);
  }

  void hangUp() throws LinuxException {
    socket.shutdown();
  }

  /** Leaves whoever connects from now on waiting. */
  void stopAccepting() {
    onlyListening = true;
  }

  private static long place(long userAddress) {
    return userAddress - FrontEndMemory.USER_ADDRESSES;
  }

  void send(VhostUserMessage message) throws IOException {
    socket.send(message);
  }

  /** Ends it; the front end has left. */
  @Override
  public void close() throws Exception {
    closing = true;
    listener.shutdown();
    thread.join();
    listener.close();
  }
}
