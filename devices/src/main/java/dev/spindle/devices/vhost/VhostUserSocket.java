// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A connection that carries {@link VhostUserMessage}s. Calls wait; one thread may send and one may
 * receive at a time, and any may {@link #shutdown}.
 */
public final class VhostUserSocket implements AutoCloseable {
  private static final int MOST_DESCRIPTORS = VhostUserPayload.MemoryTable.MOST_REGIONS;

  private final UnixSocket socket;

  /** Takes over a connected stream. */
  public VhostUserSocket(UnixSocket socket) {
    this.socket = socket;
  }

  /**
   * Waits for a request of the front end.
   *
   * @return what came, or nothing if the front end has hung up
   * @throws VhostUserException if what came is no such message
   * @throws LinuxException if the connection fails
   */
  public Optional<VhostUserMessage> receiveRequest() throws IOException {
    return receive(false, MOST_DESCRIPTORS, null);
  }

  /**
   * Waits for an answer of the back end; as {@link #receiveRequest}.
   *
   * @throws VhostUserException also if the answer is to another request
   */
  public VhostUserMessage receiveReply(VhostUserRequest request) throws IOException {
    return receiveReply(request, MOST_DESCRIPTORS, null);
  }

  /**
   * As the other, but within some time, all of it.
   *
   * @param descriptors how many may come along
   * @throws NoAnswerException if it takes too long
   */
  VhostUserMessage receiveReply(VhostUserRequest request, int descriptors, Patience patience)
      throws IOException {
    VhostUserMessage reply =
        receive(true, descriptors, patience)
            .orElseThrow(() -> new VhostUserException("it has hung up"));
    if (reply.request() != request) {
      reply.closeDescriptors();
      throw new VhostUserException("an answer to " + reply.request() + ", not to " + request);
    }
    return reply;
  }

  private Optional<VhostUserMessage> receive(boolean answer, int mostDescriptors, Patience patience)
      throws IOException {
    List<Fd> descriptors = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment headerBytes = arena.allocate(VhostUserMessage.HEADER_BYTES);
      Intake intake = new Intake(this, descriptors, mostDescriptors, patience);
      if (!intake.fill(headerBytes)) {
        return Optional.empty();
      }
      VhostUserMessage.Header header =
          VhostUserMessage.Header.decode(headerBytes.toArray(ValueLayout.JAVA_BYTE));
      int descriptorsSoFar = descriptors.size();
      MemorySegment payload = arena.allocate(Math.max(1, header.payloadBytes()));
      if (header.payloadBytes() > 0 && !intake.fill(payload.asSlice(0, header.payloadBytes()))) {
        throw new VhostUserException("a message without its payload");
      }
      if (descriptors.size() > descriptorsSoFar) {
        throw new VhostUserException("descriptors in the middle of a message");
      }
      byte[] bytes = payload.asSlice(0, header.payloadBytes()).toArray(ValueLayout.JAVA_BYTE);
      return Optional.of(VhostUserMessage.decode(header, bytes, descriptors, answer));
    } catch (IOException | RuntimeException | Error e) {
      descriptors.forEach(Fd::close);
      throw e;
    }
  }

  /**
   * How one message is received.
   *
   * @param descriptors collects what comes along
   * @param mostDescriptors how many may
   * @param patience null to wait for ever
   */
  private record Intake(
      VhostUserSocket from, List<Fd> descriptors, int mostDescriptors, Patience patience) {
    /** Receives exactly so many bytes; false if the connection has ended before the first. */
    boolean fill(MemorySegment target) throws IOException {
      long done = 0;
      while (done < target.byteSize()) {
        if (patience != null) {
          patience.awaitInput(from.socket.fd());
        }
        UnixSocket.Received received = receive(target.asSlice(done));
        descriptors.addAll(received.descriptors());
        if (received.bytes() == 0) {
          if (done == 0) {
            return false;
          }
          throw new VhostUserException("a message that ends after " + done + " bytes");
        }
        done += received.bytes();
      }
      return true;
    }

    private UnixSocket.Received receive(MemorySegment target) throws IOException {
      try {
        return from.socket.receive(target, mostDescriptors);
      } catch (LinuxException e) {
        if (e.errno() == Errno.EMSGSIZE) {
          throw new VhostUserException(
              "a message with more than " + mostDescriptors + " descriptors", e);
        }
        throw e;
      }
    }
  }

  /** Sends a message; the descriptors stay the caller's. */
  public void send(VhostUserMessage message) throws IOException {
    byte[] bytes = message.encode();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
      long done = socket.send(data, message.descriptors());
      while (done < bytes.length) {
        done += socket.send(data.asSlice(done), List.of());
      }
    }
  }

  /**
   * As the other, but within some time.
   *
   * @throws NoAnswerException if nobody takes it in time
   */
  void send(VhostUserMessage message, Patience patience) throws IOException {
    byte[] bytes = message.encode();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
      long done = 0;
      while (done < bytes.length) {
        try {
          List<Fd> along = done == 0 ? message.descriptors() : List.of();
          done += socket.trySend(data.asSlice(done), along);
        } catch (LinuxException e) {
          if (e.errno() != Errno.EAGAIN) {
            throw e;
          }
          patience.awaitRoom(socket.fd());
        }
      }
    }
  }

  /** Ends the connection both ways: whoever waits on it returns. */
  public void shutdown() throws LinuxException {
    socket.shutdown();
  }

  @Override
  public void close() {
    socket.close();
  }
}
