// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.Outcome;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleMember;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A user's hold on the root of a graph (QEMU's BlockBackend): who uses the disk, with which
 * permissions, and its I/O, one {@link BackendLane} for each context it comes from.
 */
public final class BlockBackend implements BlockParent {
  private static final Logger LOG = LoggerFactory.getLogger(BlockBackend.class);

  private final BackendUser user;
  private final BlockEdge root;

  /** Set by the user, from any thread; requests look at it as they are sent. */
  private volatile boolean writeThrough;

  /** Guarded by itself, with {@link #quiesceDepth}: a lane may be opened while a section begins. */
  private final List<BackendLane> lanes = new ArrayList<>();

  /** Changed by control work, guarded by {@link #lanes}. */
  private int quiesceDepth;

  /** What has ended in lanes that are closed. Guarded by {@link #lanes}. */
  private final RequestCounts closedLanes = new RequestCounts();

  /** Its place in a throttle group, or null. Changed by control work, guarded by {@link #lanes}. */
  private ThrottleMember throttle;

  /**
   * Takes hold of a node. Control side; waits.
   *
   * @param user who uses it; named in errors, and asked when the node changes context
   * @throws BlockException if the node's other users, in this process or another, do not share it
   *     so, or the node is read-only and {@code used} has a write
   */
  public BlockBackend(
      BlockNode node, BackendUser user, Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    this.user = user;
    this.root = new BlockEdge(this, "root", ChildRole.FILTER, node, used, shared);
    GraphChange change = new GraphChange();
    change.attach(root);
    change.run();
  }

  /** The node it uses. Control side. */
  public BlockNode node() {
    return root.node();
  }

  /** Its link to the node. Control side. */
  public BlockEdge root() {
    return root;
  }

  /** How errors name its user. */
  @Override
  public String describe() {
    return user.describe();
  }

  /**
   * Whether each write is on stable storage before it completes ({@code write-cache=off}). Any
   * thread; requests submitted afterwards obey.
   */
  public void setWriteThrough(boolean on) {
    writeThrough = on;
  }

  /** See {@link #setWriteThrough}. Any thread. */
  public boolean writeThrough() {
    return writeThrough;
  }

  /**
   * Opens the way for I/O from a context. On that context, called for by control work, so that no
   * link changes meanwhile.
   */
  public BackendLane openLane(AioContext context) {
    context.assertOwner();
    BackendLane lane = new BackendLane(this, context);
    synchronized (lanes) {
      lanes.add(lane);
      if (quiesceDepth > 0 && !user.stopsByItself()) {
        lane.closeGate();
      }
      lane.setThrottle(throttle);
    }
    return lane;
  }

  /**
   * Limits what it sends (QEMU's block_set_io_throttle): requests wait for their turn in a group
   * before they are in flight. Those that wait for another group now go on waiting for this one, in
   * their order. Control side; waits for every lane's context.
   *
   * @param group whose limits count from now on, or null for none
   */
  public void setThrottle(ThrottleGroup group) {
    ThrottleMember before = throttle;
    if (group == (before == null ? null : before.group())) {
      return;
    }
    ThrottleMember next = group == null ? null : group.join();
    List<BackendLane> changed;
    synchronized (lanes) {
      if (next != null && quiesceDepth > 0 && !user.stopsByItself()) {
        next.holdBegin(System.nanoTime());
      }
      throttle = next;
      changed = List.copyOf(lanes);
    }
    onEach(changed, lane -> lane.setThrottle(next)).run();
    if (before != null) {
      before.leave();
    }
  }

  /** The group that limits what it sends, or null. Control side. */
  public ThrottleGroup throttleGroup() {
    return throttle == null ? null : throttle.group();
  }

  void forget(BackendLane lane) {
    synchronized (lanes) {
      if (lanes.remove(lane)) {
        closedLanes.addAll(lane.counts());
      }
    }
  }

  /** What it has asked for and what has ended so far, in all its lanes. Any thread. */
  public RequestCounts counts() {
    RequestCounts all = new RequestCounts();
    addCountsTo(all);
    return all;
  }

  /** Adds {@link #counts}. */
  public void addCountsTo(RequestCounts sum) {
    synchronized (lanes) {
      sum.addAll(closedLanes);
      lanes.forEach(lane -> sum.addAll(lane.counts()));
    }
  }

  private List<BackendLane> lanes() {
    synchronized (lanes) {
      return List.copyOf(lanes);
    }
  }

  /** Whether a section keeps it from sending anything. Control side. */
  public boolean isQuiesced() {
    synchronized (lanes) {
      return quiesceDepth > 0;
    }
  }

  /**
   * Begins a section in which it sends nothing, and waits for what it sent. Throttled requests have
   * not been sent: they stay put. Control side.
   */
  public void quiesceBegin() {
    List<QuiesceWait> waits = new ArrayList<>();
    quiesceBegin(waits);
    try {
      QuiesceWait.all(waits);
    } catch (RuntimeException | Error e) {
      QuiesceWait.afterFailure(waits, e);
      quiesceEnd();
      throw e;
    }
  }

  @Override
  public void quiesceBegin(List<QuiesceWait> waits) {
    List<BackendLane> told = firstSection();
    if (told == null) {
      // Who is quiesced already may still have requests on their way, if only isolated.
      waits.add(new Rest(() -> {}, this::awaitIdle));
      return;
    }
    waits.add(new Beginning(told).run(true));
  }

  /**
   * As {@link #quiesceBegin}, for who does not care about what was sent before. Ended by {@link
   * #quiesceEnd}.
   */
  void isolateBegin(List<QuiesceWait> waits) {
    List<BackendLane> told = firstSection();
    if (told != null) {
      waits.add(new Beginning(told).run(false));
    }
  }

  /**
   * Counts a section. Returns who is to be told of it: the lanes there are, or null if it nests.
   */
  private List<BackendLane> firstSection() {
    synchronized (lanes) {
      return quiesceDepth++ == 0 ? List.copyOf(lanes) : null;
    }
  }

  /** The beginning of the first section, which ends again if it fails half-way. */
  private final class Beginning {
    private final List<BackendLane> told;

    /** Lanes there were before, whose gates are not closed yet. */
    private final List<BackendLane> open;

    /** Null until the user has been told. */
    private Runnable userStopped;

    private boolean throttleHeld;

    Beginning(List<BackendLane> told) {
      this.told = told;
      this.open = new ArrayList<>(told);
    }

    QuiesceWait run(boolean untilIdle) {
      try {
        return tell(untilIdle);
      } catch (RuntimeException | Error e) {
        takeBack(e);
        throw e;
      }
    }

    private QuiesceWait tell(boolean untilIdle) {
      userStopped = user.drainedBegin();
      if (user.stopsByItself()) {
        return new Rest(userStopped, untilIdle ? BlockBackend.this::awaitIdle : () -> {});
      }
      if (throttle != null) {
        throttle.holdBegin(System.nanoTime());
        throttleHeld = true;
      }
      List<Runnable> closed = new ArrayList<>();
      for (BackendLane lane : told) {
        closed.add(onEach(List.of(lane), BackendLane::closeGate));
        open.remove(lane);
      }
      Runnable stopped =
          () -> {
            userStopped.run();
            closed.forEach(Runnable::run);
          };
      // Asked in the same turn as the gates, to spare a section one round to every context: behind
      // a closed gate a lane that is idle stays so, whatever others still send.
      return new Rest(stopped, untilIdle ? ask(told, BackendLane::whenIdleSoon) : () -> {});
    }

    /** What fails now is no news: a lane's context that has ended, for one. */
    private void takeBack(Throwable failure) {
      if (userStopped != null) {
        // He cannot be told to go on earlier.
        attempt(userStopped, failure);
      }
      openGates(release());
      if (throttleHeld) {
        attempt(() -> throttle.holdEnd(System.nanoTime()), failure);
      }
      if (userStopped != null) {
        attempt(user::drainedEnd, failure);
      }
    }

    /** Counts the section no more. Returns whose gates are closed, by it or since it counted. */
    private List<BackendLane> release() {
      synchronized (lanes) {
        quiesceDepth--;
        List<BackendLane> closed = new ArrayList<>(user.stopsByItself() ? List.of() : lanes);
        closed.removeAll(open);
        return closed;
      }
    }

    private static void attempt(Runnable step, Throwable failure) {
      try {
        step.run();
      } catch (RuntimeException | Error e) {
        if (e != failure) {
          failure.addSuppressed(e);
        }
      }
    }
  }

  /** What a section waits for here: that nothing more is sent, then that nothing is in flight. */
  private record Rest(Runnable stopped, Runnable idle) implements QuiesceWait {
    @Override
    public void awaitStopped() {
      stopped.run();
    }

    @Override
    public void awaitStill() {
      idle.run();
    }
  }

  @Override
  public void quiesceEnd() {
    List<BackendLane> released;
    synchronized (lanes) {
      if (--quiesceDepth > 0) {
        return;
      }
      released = List.copyOf(lanes);
    }
    if (!user.stopsByItself()) {
      openGates(released);
      if (throttle != null) {
        throttle.holdEnd(System.nanoTime());
      }
    }
    try {
      user.drainedEnd();
    } catch (RuntimeException | Error e) {
      // Others want to go on as well.
      LOG.error("{} failed at the end of a section", describe(), e);
    }
  }

  /** What waits in a lane whose context has ended goes nowhere; the others are let go. */
  private void openGates(List<BackendLane> closed) {
    for (BackendLane lane : closed) {
      try {
        onEach(List.of(lane), BackendLane::openGate);
      } catch (RejectedExecutionException e) {
        LOG.warn("what {} has held back stays so: {}", describe(), e.getMessage());
      }
    }
  }

  /** Waits until none of its requests is in flight, and has them held up by no rate. */
  private void awaitIdle() {
    ask(lanes(), BackendLane::whenIdleSoon).run();
  }

  /**
   * Asks for nothing of what it has sent to be held up by a rate. Not what is throttled or held
   * back: that has not been sent. Control side; does not wait.
   *
   * @return completed, on a context's thread, once none of it is in flight; never if it never ends
   */
  public CompletableFuture<Void> idle() {
    return answers(lanes(), BackendLane::whenIdleSoon);
  }

  /**
   * Has {@code action} run for each lane on its context.
   *
   * @return waits until it has
   */
  private static Runnable onEach(List<BackendLane> lanes, Consumer<BackendLane> action) {
    return ask(
        lanes,
        (lane, done) -> {
          action.accept(lane);
          done.run();
        });
  }

  /**
   * Asks each lane, on its context, to run what {@code question} is given.
   *
   * @return waits until each has; throws what a question threw, once all others have answered
   */
  private static Runnable ask(List<BackendLane> lanes, BiConsumer<BackendLane, Runnable> question) {
    CompletableFuture<Void> answers = answers(lanes, question);
    return () -> Outcome.<Void, RuntimeException>of(answers);
  }

  private static CompletableFuture<Void> answers(
      List<BackendLane> lanes, BiConsumer<BackendLane, Runnable> question) {
    List<CompletableFuture<Void>> answers = new ArrayList<>();
    for (BackendLane lane : lanes) {
      CompletableFuture<Void> answer = new CompletableFuture<>();
      answers.add(answer);
      lane.context()
          .execute(
              () -> {
                try {
                  question.accept(lane, () -> answer.complete(null));
                } catch (Throwable e) {
                  answer.completeExceptionally(e);
                }
              });
    }
    return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new));
  }

  /**
   * Waits for every request that this backend was given: for throttled ones too, which still go at
   * their rate; but in a section they stay put, as those do that are held back. What arrives
   * meanwhile goes on afterwards. Nobody else's requests are touched or waited for. Control side.
   */
  public void drain() {
    List<BackendLane> drained = new ArrayList<>();
    boolean throttledStay = isQuiesced() && !user.stopsByItself();
    try {
      for (BackendLane lane : lanes()) {
        onEach(List.of(lane), BackendLane::closeGate);
        drained.add(lane);
      }
      ask(lanes(), throttledStay ? BackendLane::whenIdle : BackendLane::whenDrained).run();
    } finally {
      openGates(drained);
    }
  }

  /**
   * Begins a time in which every other root that reaches this backend's node sends nothing. Control
   * side.
   */
  public IsolatedSection isolate() {
    return IsolatedSection.begin(this);
  }

  /**
   * Makes all that was written durable, in a section of the backend as well. Control side; waits.
   *
   * @return 0, or a negated errno
   */
  public int flush(AioContext mainContext) {
    BackendFlush flush = beginFlush(mainContext);
    int result = flush.await();
    flush.close();
    return result;
  }

  /**
   * Begins to make all that was written durable, in a section of the backend as well. Control side;
   * does not wait for it.
   */
  public BackendFlush beginFlush(AioContext mainContext) {
    BackendLane lane = mainContext.call(() -> openLane(mainContext));
    return new BackendFlush(lane);
  }

  @Override
  public void prepareContextChange(AioContext target, ContextChange change) throws BlockException {
    user.prepareContextChange(target, change);
  }

  /** How it is now. Control side; asks each context. */
  GraphDump.User dump() {
    List<String> contexts = new ArrayList<>();
    int inFlight = 0;
    for (BackendLane lane : lanes()) {
      if (!contexts.contains(lane.context().name())) {
        contexts.add(lane.context().name());
      }
      inFlight += lane.context().call(lane::inFlight);
    }
    return new GraphDump.User(describe(), contexts, inFlight, isQuiesced());
  }

  /** Prepares a new way for each lane, after links below have changed. */
  void prepareRelink(Transaction transaction) {
    for (BackendLane lane : lanes()) {
      AioContext context = lane.context();
      BlockLane next = context.call(lane::openWay);
      transaction.add(
          new Transaction.Action() {
            private BlockLane unused = next;

            @Override
            public void commit() {
              unused = lane.lead(next);
            }

            @Override
            public void clean() {
              context.call(
                  () -> {
                    unused.close();
                    return null;
                  });
            }
          });
    }
  }

  /** Lets go of the node. Its lanes are closed. Control side; waits. */
  public void close() {
    if (!lanes().isEmpty()) {
      throw new IllegalStateException(describe() + " is closed with lanes open");
    }
    setThrottle(null);
    GraphChange change = new GraphChange();
    change.detach(root);
    try {
      change.run();
    } catch (BlockException e) {
      throw new IllegalStateException("a user who leaves cannot conflict with others", e);
    }
  }
}
