// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.Empty;
import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.UnixSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A front end that says what a fuzzer wants, and hears all that the back end answers. */
final class FuzzFrontEnd implements AutoCloseable {
  /** So few that nobody has to wait for room in a socket. */
  private static final int MOST_MESSAGES = 64;

  private static final int MOST_DESCRIPTORS = 10;

  /** What the back end is asked last of all; the fuzzer does not know this one. */
  private static final VhostUserRequest LAST = VhostUserRequest.GET_MAX_MEM_SLOTS;

  private final UnixSocket socket;

  private FuzzFrontEnd(UnixSocket socket) {
    this.socket = socket;
  }

  /** Connects, and waits until the back end serves nobody else. */
  static FuzzFrontEnd connect(Path path) throws LinuxException {
    FuzzFrontEnd client = new FuzzFrontEnd(UnixSocket.connect(path, UnixSocket.Type.STREAM));
    client.sendLast();
    client.hearAll();
    return client;
  }

  /** Says what the bytes say, and waits until the back end has done it or has hung up. */
  void run(byte[] bytes, VhostUserSeeds.Files files) throws LinuxException {
    try {
      if (sendAll(bytes, files)) {
        sendLast();
        hearAll();
      }
    } catch (LinuxException e) {
      if (e.errno() != Errno.EPIPE && e.errno() != Errno.ECONNRESET) {
        throw e;
      }
    }
  }

  /** Returns false if the last message is cut off. */
  private boolean sendAll(byte[] bytes, VhostUserSeeds.Files files) throws LinuxException {
    VhostUserSeeds.Input input = new VhostUserSeeds.Input(bytes);
    files.fill(input.image());
    for (int i = 0; i < MOST_MESSAGES && input.hasNext(); i++) {
      byte[] kinds = input.descriptors(MOST_DESCRIPTORS);
      byte[] message = input.message();
      boolean whole = input.isWhole(message);
      if (whole && VhostUserSeeds.code(message) == LAST.code()) {
        continue;
      }
      List<Fd> descriptors = new ArrayList<>();
      for (byte kind : kinds) {
        descriptors.add(files.get(kind));
      }
      send(message, descriptors);
      if (!whole) {
        return false;
      }
    }
    return true;
  }

  private void send(byte[] message, List<Fd> descriptors) throws LinuxException {
    if (message.length == 0) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_BYTE, message);
      long done = socket.send(data, descriptors);
      while (done < message.length) {
        done += socket.send(data.asSlice(done), List.of());
      }
    }
  }

  private void sendLast() throws LinuxException {
    send(VhostUserMessage.of(LAST, new Empty()).encode(), List.of());
  }

  /** Hears answers until the one to the last message, or until the back end hangs up. */
  private void hearAll() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment header = arena.allocate(VhostUserMessage.HEADER_BYTES, 8);
      MemorySegment payload = arena.allocate(VhostUserMessage.MOST_PAYLOAD_BYTES, 8);
      while (hear(header)) {
        hear(payload.asSlice(0, header.get(ValueLayout.JAVA_INT, 8)));
        if (header.get(ValueLayout.JAVA_INT, 0) == LAST.code()) {
          return;
        }
      }
    }
  }

  /** Returns false if the back end has hung up. */
  private boolean hear(MemorySegment target) throws LinuxException {
    long done = 0;
    while (done < target.byteSize()) {
      UnixSocket.Received received = socket.receive(target.asSlice(done), MOST_DESCRIPTORS);
      received.descriptors().forEach(Fd::close);
      if (received.bytes() == 0) {
        return false;
      }
      done += received.bytes();
    }
    return true;
  }

  @Override
  public void close() {
    socket.close();
  }
}
