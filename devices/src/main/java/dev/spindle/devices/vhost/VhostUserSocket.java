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
    return receive(false);
  }

  /**
   * Waits for an answer of the back end; as {@link #receiveRequest}.
   *
   * @throws VhostUserException also if the answer is to another request
   */
  public VhostUserMessage receiveReply(VhostUserRequest request) throws IOException {
    VhostUserMessage reply =
        receive(true).orElseThrow(() -> new VhostUserException("it has hung up"));
    if (reply.request() != request) {
      reply.closeDescriptors();
      throw new VhostUserException("an answer to " + reply.request() + ", not to " + request);
    }
    return reply;
  }

  private Optional<VhostUserMessage> receive(boolean answer) throws IOException {
    List<Fd> descriptors = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment headerBytes = arena.allocate(VhostUserMessage.HEADER_BYTES);
      if (!fill(headerBytes, descriptors)) {
        return Optional.empty();
      }
      VhostUserMessage.Header header =
          VhostUserMessage.Header.decode(headerBytes.toArray(ValueLayout.JAVA_BYTE));
      int descriptorsSoFar = descriptors.size();
      MemorySegment payload = arena.allocate(Math.max(1, header.payloadBytes()));
      if (header.payloadBytes() > 0
          && !fill(payload.asSlice(0, header.payloadBytes()), descriptors)) {
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

  /** Receives exactly so many bytes; false if the connection has ended before the first. */
  private boolean fill(MemorySegment target, List<Fd> descriptors) throws IOException {
    long done = 0;
    while (done < target.byteSize()) {
      UnixSocket.Received received;
      try {
        received = socket.receive(target.asSlice(done), MOST_DESCRIPTORS);
      } catch (LinuxException e) {
        if (e.errno() == Errno.EMSGSIZE) {
          throw new VhostUserException(
              "a message with more than " + MOST_DESCRIPTORS + " descriptors", e);
        }
        throw e;
      }
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

  /** Ends the connection both ways: whoever waits on it returns. */
  public void shutdown() throws LinuxException {
    socket.shutdown();
  }

  @Override
  public void close() {
    socket.close();
  }
}
