// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.MainLoop;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client's connection, from its first message to its last. The connection's thread takes one
 * message after another; what a message changes is control work, so that moves, sections and the
 * export's end come before it or after.
 */
final class VhostUserSession {
  private static final Logger LOG = LoggerFactory.getLogger(VhostUserSession.class);

  private final VhostUserBlkExport export;
  private final MainLoop mainLoop;
  private final VhostUserSocket socket;
  private final VhostUserBackEnd backEnd;

  /** Why the client has to go, if it is not by its own will. */
  private final AtomicReference<String> failure = new AtomicReference<>();

  /** The export ends, and has the client answered. Written by control work. */
  private boolean finishing;

  /** Completed once nothing of the client is served any more. */
  private final CompletableFuture<Void> ended = new CompletableFuture<>();

  /** Completed when the client has to go: a queue that has failed may never have nothing to do. */
  private final CompletableFuture<Void> failed = new CompletableFuture<>();

  /** Takes over a connection. */
  VhostUserSession(VhostUserBlkExport export, UnixSocket client) throws LinuxException {
    this.export = export;
    this.mainLoop = export.site().mainLoop();
    this.socket = new VhostUserSocket(client);
    try {
      this.backEnd = new VhostUserBackEnd(export);
    } catch (LinuxException e) {
      socket.close();
      throw e;
    }
  }

  /** Serves the client until it goes, or has to. On the connection's thread. */
  void run() {
    try {
      Optional<VhostUserMessage> message = socket.receiveRequest();
      while (message.isPresent()) {
        answer(message.get());
        message = socket.receiveRequest();
      }
    } catch (IOException e) {
      fail(e.getMessage());
    } catch (RejectedExecutionException | CompletionException e) {
      LOG.debug("{} ends while a client speaks", export.describe(), e);
    } catch (RuntimeException | Error e) {
      LOG.error("{}: a client is disconnected for a fault of ours", export.describe(), e);
    } finally {
      try {
        end();
      } finally {
        socket.close();
      }
    }
    String reason = failure.get();
    if (reason != null) {
      LOG.warn("{}: its client is disconnected: {}", export.describe(), reason);
    }
  }

  /** What the client has under way may take its time, and control work does not wait for it. */
  private void end() {
    try {
      mainLoop.control("quiet-client", () -> export.quiet(this)).join();
      mainLoop.control(
          "end-client",
          () -> {
            export.end(this);
            return null;
          });
    } catch (RejectedExecutionException e) {
      LOG.debug("{} has ended before", export.describe());
    }
  }

  private void answer(VhostUserMessage message) throws IOException {
    List<Fd> unclaimed = new ArrayList<>(message.descriptors());
    Optional<VhostUserMessage> answer;
    try {
      List<Integer> standing = stop(message);
      answer =
          mainLoop.<Optional<VhostUserMessage>, IOException>control(
              "vhost-user-message",
              () -> {
                if (ended.isDone() || finishing) {
                  return Optional.empty();
                }
                backEnd.close(standing);
                return backEnd.handle(message, unclaimed);
              });
    } finally {
      unclaimed.forEach(Fd::close);
    }
    if (answer.isPresent()) {
      try {
        socket.send(answer.get());
      } finally {
        backEnd.sent(answer.get());
      }
    }
  }

  /**
   * Has those queues stand that a message is about, and waits until they have nothing under way:
   * outside of control work, as a section that holds requests back may have to end before.
   */
  private List<Integer> stop(VhostUserMessage message) throws IOException {
    List<Integer> stopping = new ArrayList<>();
    List<CompletableFuture<Void>> still = new ArrayList<>();
    mainLoop.<Void, IOException>control(
        "stop-queues",
        () -> {
          if (!ended.isDone() && !finishing) {
            for (int index : backEnd.toStop(message)) {
              stopping.add(index);
              still.add(export.queues().stop(index));
            }
          }
          return null;
        });
    CompletableFuture<Void> all =
        CompletableFuture.allOf(still.toArray(CompletableFuture<?>[]::new));
    CompletableFuture.anyOf(all, ended, failed).join();
    String reason = failure.get();
    if (reason != null) {
      throw new VhostUserException(reason);
    }
    return stopping;
  }

  /**
   * Has the queues take no more; what the client says from now on is not heard any more. Control
   * side; does not wait.
   *
   * @return completed once all that they took is answered, or the client has to go
   */
  CompletableFuture<Void> finish() {
    finishing = true;
    CompletableFuture<Void> answered = export.queues().stopAll();
    return CompletableFuture.anyOf(answered, failed, ended).thenApply(_ -> null);
  }

  /** The client has broken the rules: disconnects it. Any thread; must not wait. */
  void fail(String reason) {
    if (!ended.isDone() && failure.compareAndSet(null, reason)) {
      failed.complete(null);
      hangUp();
    }
  }

  /** Has the connection's thread find the connection ended. Any thread. */
  void hangUp() {
    try {
      socket.shutdown();
    } catch (LinuxException | IllegalStateException e) {
      LOG.debug("{}: a connection has ended already", export.describe(), e);
    }
  }

  /** The disk has another length. Control side. */
  void configChanged() {
    backEnd.configChanged();
  }

  /** Gives back what the client had, once nothing of it is served. Control side. */
  void release() {
    ended.complete(null);
    if (failure.get() != null) {
      backEnd.signalErrors();
    }
    backEnd.close();
  }

  /** Ends a session that never began. */
  void discard() {
    backEnd.close();
    socket.close();
  }
}
