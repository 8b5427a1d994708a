// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.uring.CompletionHandler;
import dev.spindle.linux.uring.IoUring;
import dev.spindle.linux.uring.SubmissionQueue;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An event loop on one thread: an io_uring, a run queue, timers, and adaptive polling (QEMU's
 * AioContext). The thread that calls {@link #create} owns it and must call {@link #run}.
 *
 * <p>A turn of the loop runs what is queued, ends the turn for whoever asked ({@link TurnEnd}),
 * then makes one {@code io_uring_enter} that both submits and waits. Work from other threads comes
 * in through {@link #execute} alone; nobody else touches the ring.
 *
 * <p>Many users share the loop, so what one of them throws, an {@link Error} included, is logged
 * and ends nothing but the call that threw it. Only a ring that the kernel refuses ends the loop.
 */
public final class AioContext implements Executor {
  private static final Logger LOG = LoggerFactory.getLogger(AioContext.class);
  private static final int RING_ENTRIES = 512;

  /** Tasks a turn runs at most, so that tasks which queue further ones do not starve the ring. */
  private static final int TASKS_PER_TURN = 256;

  /** Of a thread that owns a context: which. */
  private static final ThreadLocal<AioContext> OWNED = new ThreadLocal<>();

  private final String name;
  private final Thread thread;
  private final IoUring ring;
  private final SubmissionQueue submission;
  private final EventFd wakeFd;

  /** For the wait after somebody was given what he waited for: he tends to want more. */
  private AdaptivePolling pollingForUsers;

  /** For all other waits, for disks as a rule. */
  private AdaptivePolling pollingForDisks;

  private int maxBatch;
  private final CompletionHandler dispatcher = this::dispatch;
  private final TimerQueue timers = new TimerQueue(this);
  private final ContextThreads threads = new ContextThreads(this);

  private final RunQueue runQueue;

  /** Owner only. */
  private boolean stopping;

  private RingOp[] ops = new RingOp[0];
  private final BitSet freeSlots = new BitSet();
  private Pollable[] pollables = new Pollable[0];
  private TurnEnd[] turnEnds = new TurnEnd[16];
  private int turnEndCount;

  /** Whether a turn has ended for somebody since the context last waited. */
  private boolean answered;

  private AioContext(String name, ContextOptions options) throws LinuxException {
    this.name = name;
    this.thread = Thread.currentThread();
    this.ring = IoUring.create(RING_ENTRIES);
    this.submission = ring.submission();
    configure(options);
    try {
      this.wakeFd = EventFd.create();
    } catch (LinuxException e) {
      ring.close();
      throw e;
    }
    this.runQueue = new RunQueue(this::isOwner, wakeFd::signal);
    // Its count is never read: every write wakes the multishot poll, and 2^64 writes never happen.
    watch(wakeFd.fd(), () -> {});
    OWNED.set(this);
  }

  /**
   * Makes a context owned by the calling thread.
   *
   * @param name what the user calls it (the iothread's id, or {@code main-loop})
   * @throws LinuxException if io_uring cannot be had
   */
  public static AioContext create(String name, ContextOptions options) throws LinuxException {
    return new AioContext(name, options);
  }

  /** Polls and batches otherwise from now on. */
  void configure(ContextOptions options) {
    pollingForUsers = new AdaptivePolling(options, options.pollMaxNs());
    pollingForDisks = new AdaptivePolling(options, options.diskPollMaxNs());
    maxBatch = options.batch();
  }

  /** What the user calls it. Any thread. */
  public String name() {
    return name;
  }

  /** The ring. Owner thread only. */
  public IoUring ring() {
    return ring;
  }

  /** Whether the caller is the owner, or a virtual thread that the owner carries. Any thread. */
  public boolean isOwner() {
    Thread current = Thread.currentThread();
    return current == thread || threads.carries(current);
  }

  /** Fails unless the caller is on this context: for methods that declare their side. */
  public void assertOwner() {
    if (!isOwner()) {
      throw new IllegalStateException(
          "called on " + Thread.currentThread().getName() + ", belongs on " + name);
    }
  }

  /**
   * Fails on an owner's own thread, whichever context it has: for methods that take a lock which
   * virtual threads take. Behind one that it carries, the owner would wait for ever.
   */
  public static void assertMayWait() {
    if (!Thread.currentThread().isVirtual() && OWNED.get() != null) {
      throw new IllegalStateException(
          "called on the thread of " + OWNED.get().name + ", which must not wait");
    }
  }

  /**
   * Runs a task on the owner thread soon, in order of arrival. Any thread.
   *
   * @throws RejectedExecutionException if the loop has ended; the task does not run then
   */
  @Override
  public void execute(Runnable task) {
    if (!runQueue.add(task)) {
      throw new RejectedExecutionException(name + " has ended");
    }
  }

  /**
   * Starts straight-line code that may wait: a virtual thread that only this context's own thread
   * carries. Any thread.
   */
  public Thread startVirtual(String threadName, Runnable body) {
    return threads.start(threadName, body);
  }

  /**
   * Runs {@code body} on the owner thread and waits for what it returns. Any thread that may wait:
   * not an owner's platform thread, which would stop its own loop.
   *
   * @throws E what {@code body} threw
   */
  public <T, E extends Exception> T call(ContextCall<T, E> body) throws E {
    if (isOwner()) {
      return body.call();
    }
    CompletableFuture<T> result = new CompletableFuture<>();
    execute(
        () -> {
          try {
            result.complete(body.call());
          } catch (Throwable e) {
            result.completeExceptionally(e);
          }
        });
    return Outcome.of(result);
  }

  /**
   * Runs {@code task} once, on the owner thread, {@code delayNs} nanoseconds from now. Owner only.
   */
  public Timer startTimer(long delayNs, Runnable task) {
    assertOwner();
    return timers.add(System.nanoTime() + delayNs, task);
  }

  /**
   * Calls {@code onReady} whenever the descriptor (an eventfd) has been signalled. Owner only.
   *
   * @return the watch, to be ended on the same context
   */
  public FdWatch watch(Fd fd, Runnable onReady) {
    FdWatch watch = new FdWatch(this, fd, onReady);
    watch.arm();
    return watch;
  }

  /**
   * Registers memory that lives long with the ring, for requests on it to cost less. Any thread
   * that may wait, as for {@link #call}.
   *
   * @param memory native memory, anonymous or of a memfd
   * @return the registration, to be closed before the memory is given back
   */
  public MemoryRegistration registerMemory(MemorySegment memory) {
    return call(() -> new MemoryRegistration(this, memory));
  }

  /** Has {@code pollable} looked at while the context polls. Owner only. */
  public void addPollable(Pollable pollable) {
    assertOwner();
    pollables = Arrays.copyOf(pollables, pollables.length + 1);
    pollables[pollables.length - 1] = pollable;
  }

  /** Ends {@link #addPollable}. Owner only. */
  public void removePollable(Pollable pollable) {
    assertOwner();
    pollables = Arrays.stream(pollables).filter(p -> p != pollable).toArray(Pollable[]::new);
  }

  /** Calls {@code work} at the end of this turn; whoever asks twice is called twice. Owner only. */
  public void atTurnEnd(TurnEnd work) {
    if (turnEndCount == turnEnds.length) {
      turnEnds = Arrays.copyOf(turnEnds, 2 * turnEndCount);
    }
    turnEnds[turnEndCount++] = work;
  }

  /**
   * An operation has been put on the ring: it is submitted at the end of the turn at the latest,
   * and at once when as many wait as may ({@code aio-max-batch}). Owner only.
   */
  public void prepared() {
    if (submission.pending() >= maxBatch) {
      submitNow();
    }
  }

  /** Makes room in a full submission queue. Owner only. */
  public void submitNow() {
    try {
      ring.submit();
    } catch (LinuxException e) {
      throw new IllegalStateException("ring of " + name + ": " + e.getMessage(), e);
    }
  }

  /** Gives {@code op} a slot of the completion table; the slot's number is its user data. */
  long adopt(RingOp op) {
    assertOwner();
    int slot = freeSlots.nextSetBit(0);
    if (slot < 0) {
      slot = ops.length;
      ops = Arrays.copyOf(ops, Math.max(64, 2 * slot));
      freeSlots.set(slot, ops.length);
    }
    freeSlots.clear(slot);
    ops[slot] = op;
    return slot;
  }

  void release(RingOp op) {
    ops[(int) op.token()] = null;
    freeSlots.set((int) op.token());
  }

  /**
   * Runs the loop until {@link #stop}; then closes the ring. Others may still be about to wake it,
   * so {@link #closeWakeFd} is for whoever knows that they are not. Owner only.
   */
  public void run() throws LinuxException {
    assertOwner();
    try {
      while (!stopping) {
        turn();
      }
      runQueue.end();
      // What was queued before still runs: somebody may be waiting for it.
      while (runTasks()) {
        endTurns();
        ring.submit();
        reap();
      }
    } finally {
      runQueue.end();
      runQueue.endSleep();
      ring.close();
    }
  }

  /** Makes {@link #run} return after the current turn, if it has not yet. Any thread. */
  public void stop() {
    try {
      execute(() -> stopping = true);
    } catch (RejectedExecutionException e) {
      LOG.debug("{} has been stopped before", name);
    }
  }

  /** Gives back the last of what the context holds, once {@link #run} has returned. Any thread. */
  void closeWakeFd() {
    wakeFd.close();
  }

  private void turn() throws LinuxException {
    boolean progress = runTasks();
    progress |= timers.runDue();
    endTurns();
    if (progress || !runQueue.isEmpty()) {
      if (submission.pending() > 0 || ring.hasWork()) {
        ring.submit();
      }
    } else {
      if (!pollForWork()) {
        sleep();
      }
      answered = false;
    }
    reap();
    endTurns();
  }

  private boolean runTasks() {
    int count = 0;
    Runnable task;
    while (count < TASKS_PER_TURN && (task = runQueue.poll()) != null) {
      count++;
      try {
        task.run();
      } catch (Throwable e) {
        failed("task", e);
      }
    }
    return count > 0;
  }

  /** Has the loop go on after what a user of it threw. Owner only. */
  void failed(String what, Throwable cause) {
    try {
      LOG.error("{} on {} failed", what, name, cause);
    } catch (Throwable e) {
      // No memory to say so; the others on this loop may still have what they need.
      cause.addSuppressed(e);
    }
  }

  private void reap() {
    ring.reap(dispatcher);
  }

  private void dispatch(long userData, int result, boolean more) {
    try {
      ops[(int) userData].complete(result, more);
    } catch (Throwable e) {
      failed("completion", e);
    }
  }

  private AdaptivePolling polling() {
    return answered ? pollingForUsers : pollingForDisks;
  }

  private void endTurns() {
    answered |= turnEndCount > 0;
    for (int i = 0; i < turnEndCount; i++) {
      TurnEnd work = turnEnds[i];
      turnEnds[i] = null;
      try {
        work.endTurn();
      } catch (Throwable e) {
        failed("end of a turn", e);
      }
    }
    turnEndCount = 0;
  }

  /** Spins for a while, looking at memory only; true if that found something. */
  private boolean pollForWork() throws LinuxException {
    long untilTimer = timers.untilNextNs();
    long most = polling().budgetNs();
    long budget = untilTimer < 0 ? most : Math.min(most, untilTimer);
    if (budget <= 0) {
      return false;
    }
    if (submission.pending() > 0) {
      ring.submit();
    }
    forEachPollable(Pollable::beginPolling);
    long start = System.nanoTime();
    boolean found = false;
    do {
      if (!runQueue.isEmpty()) {
        found = true;
      }
      if (ring.hasWork()) {
        ring.submit();
        found = true;
      }
      found |= runReadyPollables();
      Thread.onSpinWait();
    } while (!found && System.nanoTime() - start < budget);
    forEachPollable(Pollable::endPolling);
    // What became ready while notifications were off and the last look was past.
    return runReadyPollables() || found;
  }

  private boolean runReadyPollables() {
    boolean any = false;
    for (Pollable pollable : pollables) {
      try {
        if (pollable.ready()) {
          any = true;
          pollable.run();
        }
      } catch (Throwable e) {
        pollingFailed(pollable, e);
      }
    }
    return any;
  }

  private void forEachPollable(Consumer<Pollable> action) {
    for (Pollable pollable : pollables) {
      try {
        action.accept(pollable);
      } catch (Throwable e) {
        pollingFailed(pollable, e);
      }
    }
  }

  /** It would fail again at each look; what it is notified of still reaches it. */
  private void pollingFailed(Pollable pollable, Throwable cause) {
    failed("polling", cause);
    removePollable(pollable);
    try {
      pollable.endPolling();
    } catch (Throwable e) {
      failed("end of polling", e);
    }
  }

  private void sleep() throws LinuxException {
    boolean wait = runQueue.beginSleep();
    long started = System.nanoTime();
    if (wait) {
      ring.submitAndWait(timers.untilNextNs());
    } else {
      ring.submit();
    }
    runQueue.endSleep();
    if (wait) {
      polling().slept(System.nanoTime() - started);
    }
  }
}
