// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Stands between a front end and a back end and has that look like one that takes memory only all
 * at once. One connection, on a thread of its own.
 */
final class WithoutMemorySlots implements AutoCloseable {
  /** How many tables of memory have been sent. */
  final AtomicInteger tables = new AtomicInteger();

  private final UnixSocket listener;
  private final Path backEnd;
  private final Thread thread;

  WithoutMemorySlots(Path listenAt, Path backEnd) throws IOException {
    this.backEnd = backEnd;
    this.listener = UnixSocket.listen(listenAt, UnixSocket.Type.STREAM, 1);
    this.thread = Thread.ofPlatform().daemon().start(this::serve);
  }

  private void serve() {
    try (VhostUserSocket front = new VhostUserSocket(listener.accept());
        VhostUserSocket back =
            new VhostUserSocket(UnixSocket.connect(backEnd, UnixSocket.Type.STREAM))) {
      Optional<VhostUserMessage> next = front.receiveRequest();
      while (next.isPresent()) {
        passOn(next.get(), front, back);
        next = front.receiveRequest();
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private void passOn(VhostUserMessage message, VhostUserSocket front, VhostUserSocket back)
      throws IOException {
    VhostUserRequest request = message.request();
    if (request == VhostUserRequest.SET_MEM_TABLE) {
      tables.incrementAndGet();
    }
    try {
      back.send(message);
    } finally {
      message.closeDescriptors();
    }
    if (request.reply().isPresent() || message.needReply()) {
      VhostUserMessage answer = back.receiveReply(request);
      if (request == VhostUserRequest.GET_PROTOCOL_FEATURES) {
        long without = ((Word) answer.payload()).value() & ~VhostUserFeatures.CONFIGURE_MEM_SLOTS;
        answer = message.answer(new Word(without), new ArrayList<>());
      }
      front.send(new VhostUserMessage(request, true, false, answer.payload(), List.of()));
    }
  }

  @Override
  public void close() throws Exception {
    thread.join();
    listener.close();
  }
}
