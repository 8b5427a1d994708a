// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.SharedMemory;
import dev.spindle.linux.Errno;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Poll;
import java.io.IOException;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What keeps a node and its back end together: a thread that talks to the back end, notices when it
 * is gone, and looks for it to come back. Requests do not pass here; they go through {@link
 * FrontEndQueue}s, which this gives a connection and takes it from.
 *
 * <p>A back end that breaks the rules is left for good.
 */
final class FrontEndLink implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(FrontEndLink.class);

  /** How long an answer may take of a back end that has been in use, in nanoseconds. */
  private static final long PATIENCE_NS = 30_000_000_000L;

  /** How long after the last try the next one is, in nanoseconds. */
  private static final long RETRY_NS = 100_000_000;

  private final String nodeName;
  private final FrontEndOptions options;
  private final FrontEndQueues queues;
  private final EventFd wake;
  private final CompletableFuture<Void> opened = new CompletableFuture<>();
  private final CompletableFuture<Void> ended = new CompletableFuture<>();

  /** What the back end has done wrong, once it has. */
  private final AtomicReference<String> violation = new AtomicReference<>();

  /** For the thread; added to under the lock. */
  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();

  private volatile FrontEndDisk disk;
  private volatile FrontEndDisk newest;
  private volatile boolean closing;

  /** Keeps the thread from closing what others want to wake it with. */
  private final Object lock = new Object();

  /** Whether the thread is done; guarded by the lock. */
  private boolean finished;

  /** Null while there is none. Changed by the thread alone, under the lock. */
  private FrontEndConnection connection;

  /** What follows is the thread's alone. Null while there is no connection. */
  private FrontEndMemory memory;

  /** Whether the queues refuse requests. */
  private boolean refusing;

  /** How long to wait before the next try. */
  private long pauseNs;

  private final FrontEndOutage outage;

  private final FrontEndSharing sharing;

  /** Whether the queues have the connection. */
  private boolean serving;

  private FrontEndLink(String nodeName, FrontEndOptions options) throws LinuxException {
    this.nodeName = nodeName;
    this.options = options;
    this.outage = new FrontEndOutage(nodeName, options);
    this.wake = EventFd.create();
    try {
      this.queues = new FrontEndQueues(options.queues(), this::violated);
      this.sharing =
          new FrontEndSharing(nodeName, queues, () -> closing || violation.get() != null);
    } catch (LinuxException e) {
      wake.close();
      throw e;
    }
  }

  /**
   * Connects, and waits until the back end is ready. Any thread that may wait.
   *
   * @throws BlockException if there is none, or it cannot do what is needed; nothing is left open
   */
  static FrontEndLink open(String nodeName, FrontEndOptions options) throws BlockException {
    FrontEndLink link;
    try {
      link = new FrontEndLink(nodeName, options);
    } catch (LinuxException e) {
      throw new BlockException(e.getMessage(), e);
    }
    Thread.ofPlatform().name("vhost-user-" + nodeName).daemon().start(link::run);
    try {
      link.opened.get();
      return link;
    } catch (ExecutionException e) {
      throw refusal(options, e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      link.askToEnd();
      throw refusal(options, e);
    }
  }

  private static BlockException refusal(FrontEndOptions options, Throwable cause) {
    String sentence =
        switch (cause) {
          case VhostUserException e ->
              "Could not use the vhost-user back end at '"
                  + options.path()
                  + "': "
                  + e.getMessage();
          case NoAnswerException e ->
              "Could not use the vhost-user back end at '%s' within %d s: %s; it may be serving somebody else"
                  .formatted(options.path(), options.openTimeout(), e.getMessage());
          case LinuxException e -> "Could not open '" + options.path() + "': " + e.reason();
          default -> "Could not open '" + options.path() + "': " + cause.getMessage();
        };
    return new BlockException(sentence, cause);
  }

  FrontEndQueues queues() {
    return queues;
  }

  /** The disk as the node shows it. Any thread. */
  FrontEndDisk disk() {
    return disk;
  }

  /** The disk as the back end has described it last. Any thread. */
  FrontEndDisk newest() {
    return newest;
  }

  /** Has the node show the disk so, which stands still. Control side. */
  void show(FrontEndDisk shown) {
    disk = shown;
  }

  /** Lets the back end reach some memory, if it can. Any thread that may wait. */
  void share(SharedMemory memory) {
    onThread(() -> sharing.begin(memory, connection, this.memory));
  }

  /** Ends {@link #share}; nothing is on its way from or to that memory. */
  void unshare(SharedMemory memory) {
    onThread(() -> sharing.end(memory, connection, this.memory));
  }

  /** Something for the thread to do between waits, which may fail as the connection does. */
  private interface Work {
    void run() throws IOException;
  }

  /** Has the thread do something, and waits until it has. */
  private void onThread(Work work) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    synchronized (lock) {
      if (finished) {
        return;
      }
      tasks.add(
          () -> {
            try {
              carefully(work);
            } finally {
              done.complete(null);
            }
          });
      wake.signal();
    }
    done.join();
  }

  private void carefully(Work work) {
    try {
      work.run();
    } catch (VhostUserException e) {
      failed(e);
    } catch (NoAnswerException e) {
      LOG.error(
          "node '{}': the vhost-user back end at {}: {}", nodeName, options.path(), e.getMessage());
      lost();
    } catch (IOException e) {
      // The thread sees next that the back end is gone.
      LOG.debug("{}: {}", nodeName, e.getMessage());
    }
  }

  /** The back end has something to say: its disk has changed, perhaps. */
  private void hear() throws IOException {
    if (connection.hear()) {
      FrontEndDisk found = connection.readDisk();
      if (found.length() != newest.length()) {
        LOG.info(
            "{}: the back end's disk has {} bytes now: reopen the node to use them",
            nodeName,
            found.length());
      }
      newest = found;
    }
  }

  /** An answer was wrong, or there was none since the back end has gone. */
  private void failed(VhostUserException e) {
    try {
      if (connection == null || !connection.isHungUp()) {
        violated(e.getMessage());
      }
    } catch (LinuxException hangUp) {
      violated(e.getMessage());
    }
  }

  private void runTasks() {
    Runnable task;
    while ((task = tasks.poll()) != null) {
      task.run();
    }
  }

  private void run() {
    try {
      connect();
      opened.complete(null);
      while (!closing) {
        turn();
        runTasks();
      }
    } catch (IOException | RuntimeException | Error e) {
      if (!opened.completeExceptionally(e)) {
        LOG.error("{}: the link to {} has ended", nodeName, options.path(), e);
        queues.onEach(FrontEndQueue::detach);
        queues.onEach(queue -> queue.refuse(Errno.EIO));
      }
    } finally {
      disconnect();
      queues.close();
      synchronized (lock) {
        finished = true;
        wake.close();
      }
      runTasks();
      ended.complete(null);
    }
  }

  /** Waits for something to happen, and deals with it. */
  private void turn() throws LinuxException {
    if (connection != null) {
      watch();
    } else if (violation.get() != null) {
      await(Poll.FOREVER);
    } else {
      await(pauseNs);
      pauseNs = RETRY_NS;
      refuseInTime();
      if (!closing) {
        reconnect();
      }
    }
  }

  private void refuseInTime() {
    if (!refusing && outage.isTooLong()) {
      outage.giveUp();
      refuse();
    }
  }

  private Patience patience(String complaint) {
    long ns = opened.isDone() ? PATIENCE_NS : outage.openingNs();
    return new Patience(complaint, ns, this::whileWaiting);
  }

  /** The back end is there, but has nothing to say, or does not even accept. */
  private void whileWaiting() {
    if (!serving) {
      outage.silence();
      if (opened.isDone()) {
        refuseInTime();
      }
    }
  }

  private void await(long ns) throws LinuxException {
    if (Poll.await(ns, wake.fd()) != Poll.TIMED_OUT) {
      wake.read();
    }
  }

  private void watch() throws LinuxException {
    int ready = Poll.await(Poll.FOREVER, connection.fds(wake.fd()));
    if (closing) {
      return;
    }
    if (ready == 0) {
      if (connection.isHungUp()) {
        lost();
        return;
      }
      violated("it sends what nobody has asked for");
    } else if (ready > 1) {
      carefully(this::hear);
    }
    wake.read();
    if (violation.get() != null) {
      LOG.error(
          "node '{}': the vhost-user back end at {} is left for good: {}",
          nodeName,
          options.path(),
          violation.get());
      disconnect();
      refuse();
    }
  }

  /** The back end has broken the rules. Any thread. */
  private void violated(String reason) {
    violation.compareAndSet(null, reason);
    synchronized (lock) {
      if (!finished) {
        wake.signal();
      }
    }
  }

  private void lost() {
    disconnect();
    pauseNs = 0;
    outage.begin();
    if (outage.isTooLong()) {
      refuse();
    }
  }

  private void refuse() {
    refusing = true;
    queues.onEach(queue -> queue.refuse(Errno.EIO));
  }

  private void reconnect() {
    try {
      connect();
      LOG.warn("node '{}': the vhost-user back end at {} is back", nodeName, options.path());
    } catch (VhostUserException e) {
      violated(e.getMessage());
      LOG.error(
          "node '{}': the vhost-user back end at {} has come back, but {}",
          nodeName,
          options.path(),
          e.getMessage());
      refuse();
    } catch (IOException e) {
      LOG.debug("{}: {}", nodeName, e.getMessage());
      if (e instanceof LinuxException refusal && refusal.errno() == Errno.EAGAIN) {
        whileWaiting();
      }
    }
  }

  /** Connects; when it is for the first time, waits for a back end at which too many wait. */
  private FrontEndConnection dial() throws IOException {
    while (true) {
      try {
        return FrontEndConnection.connect(options.path(), this::patience);
      } catch (LinuxException e) {
        if (e.errno() != Errno.EAGAIN || opened.isDone()) {
          throw e;
        }
      }
      if (closing || outage.openingNs() <= 0) {
        throw new NoAnswerException("it accepts nobody");
      }
      await(RETRY_NS);
      whileWaiting();
    }
  }

  /**
   * Makes a connection, and gives it to the queues.
   *
   * @throws VhostUserException if the back end does not keep to the protocol, or cannot do what is
   *     needed
   * @throws IOException if there is none, or it is lost on the way; there is nothing left of it
   */
  private void connect() throws IOException {
    FrontEndConnection fresh = dial();
    synchronized (lock) {
      connection = fresh;
    }
    try {
      fresh.negotiate(options.queues());
      check(fresh.disk());
      memory = FrontEndMemory.of(fresh.disk(), options.queues(), options.queueSize());
      fresh.start(memory, queues.shared(), queues.list());
    } catch (VhostUserException e) {
      boolean lost = fresh.isHungUp();
      disconnect();
      throw lost ? new IOException("it has hung up", e) : e;
    } catch (IOException | RuntimeException e) {
      disconnect();
      throw e;
    }
    newest = fresh.disk();
    if (disk == null) {
      disk = newest;
    }
    refusing = false;
    serving = true;
    for (int i = 0; i < queues.list().size(); i++) {
      FrontEndRing ring = memory.ring(i);
      queues.on(queues.list().get(i), queue -> queue.attach(ring));
    }
  }

  private void check(FrontEndDisk found) throws VhostUserException {
    if (found.readOnly() && !options.readOnly()) {
      throw new VhostUserException("its disk is read-only: add read-only=on");
    }
    if (disk != null && !found.serves(disk)) {
      throw new VhostUserException("it serves another disk than before");
    }
  }

  /** Takes the connection from the queues, and ends it. */
  private void disconnect() {
    serving = false;
    if (memory != null) {
      queues.onEach(FrontEndQueue::detach);
    }
    synchronized (lock) {
      if (connection != null) {
        connection.close();
        connection = null;
      }
    }
    if (memory != null) {
      memory.close();
      memory = null;
    }
  }

  private void askToEnd() {
    synchronized (lock) {
      closing = true;
      if (!finished) {
        wake.signal();
      }
      if (connection != null) {
        connection.shutdown();
      }
    }
  }

  /** Ends the connection; no lane is open. Any thread that may wait. */
  @Override
  public void close() {
    askToEnd();
    ended.join();
  }
}
