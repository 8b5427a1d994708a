// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.StoppingParts;
import dev.spindle.block.graph.Transaction;
import dev.spindle.devices.virtio.DeviceQueue;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * The queues of a block device at work, wherever its driver is: how they stand still, move, start
 * and end together with the backend that they send to. Control side, except where something else is
 * said; the queues themselves run on their contexts.
 */
public final class VirtioBlkQueues {
  private final Consumer<String> broken;
  private final MoveStats moveStats = new MoveStats();
  private final List<Slot> active = new ArrayList<>();
  private final DiskErrors errors;
  private BlockBackend backend;
  private QueuePlacement placement;

  /** When the queues were told to stop, and whether a move is why they have. */
  private long stoppedAtNs;

  private boolean moved;

  /** A queue at work, and its way to the backend. */
  private static final class Slot {
    final VirtioBlkQueue queue;
    final int index;
    BackendLane lane;

    /** Takes no more for good; may still have requests under way. */
    boolean ending;

    /** Once it is ending: completed when nobody watches its kicks. */
    CompletableFuture<Void> unwatched = CompletableFuture.completedFuture(null);

    /** Once it is ending: completed when all that was taken has been given back as well. */
    CompletableFuture<Void> empty = CompletableFuture.completedFuture(null);

    Slot(VirtioBlkQueue queue, int index) {
      this.queue = queue;
      this.index = index;
    }
  }

  /**
   * Begins without a queue at work.
   *
   * @param placement where queues are to work
   * @param broken told, on any thread, why a queue has given up: a clause
   */
  public VirtioBlkQueues(QueuePlacement placement, Consumer<String> broken) {
    this(placement, broken, new DiskErrors(ErrorPolicies.REPORT));
  }

  /** As the other one, with something else to be done about errors. */
  VirtioBlkQueues(QueuePlacement placement, Consumer<String> broken, DiskErrors errors) {
    this.errors = errors;
    this.placement = placement;
    this.broken = broken;
  }

  /** Names the backend that requests go to, whose user passes on what it is told. Once. */
  public void attach(BlockBackend newBackend) {
    backend = newBackend;
  }

  /** Has queues work elsewhere that are opened from now on. */
  public void place(QueuePlacement next) {
    placement = next;
  }

  /** Where queues work. */
  public QueuePlacement placement() {
    return placement;
  }

  /** How moves went. Any thread. */
  public MoveStats moveStats() {
    return moveStats;
  }

  /** What the queues have done that are at work. */
  public List<VirtioBlkStats> stats() {
    return active.stream().map(slot -> slot.queue.stats()).toList();
  }

  /** Opens a queue, which does not work yet. */
  void open(int index, DeviceQueue queue, RequestParser parser, int maxBuffers) {
    open(
        index,
        new VirtioBlkQueue(
            broken, errors, queue, parser, maxBuffers, QueueTracker.NONE, LeftBehind.NONE));
  }

  private void open(int index, VirtioBlkQueue queue) {
    Slot slot = new Slot(queue, index);
    slot.lane = openLane(placement.of(index));
    active.add(slot);
  }

  /**
   * Opens a queue and has it work, as soon as no section keeps the backend still.
   *
   * @param index of no queue that is at work; within the placement
   * @param model what the driver takes the device for
   * @param features what it has agreed on
   * @param tracker notes what the queue does
   * @param leftBehind requests that have been taken off the ring but not carried out, to begin with
   */
  public void start(
      int index,
      DeviceQueue queue,
      VirtioBlkModel model,
      long features,
      QueueTracker tracker,
      LeftBehind leftBehind) {
    open(
        index,
        new VirtioBlkQueue(
            broken,
            errors,
            queue,
            model.parser(features),
            model.options().queueSize(),
            tracker,
            leftBehind));
    if (!backend.isQuiesced()) {
      start(active.getLast(), () -> {});
    }
  }

  /**
   * Tells a queue to take no more requests.
   *
   * @return completed, on a context's thread, when all that it took has been given back and nobody
   *     watches its kicks; not before a section ends that keeps requests back. Then {@link #close}
   *     is to be called
   */
  public CompletableFuture<Void> stop(int index) {
    return stop(find(index));
  }

  /**
   * Tells all queues to take no more requests, but for those that have been told so.
   *
   * @return completed, on a context's thread, when all that they took has been given back; not
   *     before a section ends that keeps requests back, and never for a queue that has failed.
   *     Then, or earlier, {@link #endAll} is to be called
   */
  public CompletableFuture<Void> stopAll() {
    return CompletableFuture.allOf(
        active.stream()
            .map(slot -> slot.ending ? slot.empty : stop(slot))
            .toArray(CompletableFuture[]::new));
  }

  private CompletableFuture<Void> stop(Slot slot) {
    CompletableFuture<Void> unwatched = new CompletableFuture<>();
    CompletableFuture<Void> empty = new CompletableFuture<>();
    boolean working = !backend.isQuiesced();
    slot.ending = true;
    slot.unwatched = unwatched;
    slot.lane
        .context()
        .call(
            () -> {
              if (working) {
                slot.queue.stop(() -> unwatched.complete(null));
              } else {
                unwatched.complete(null);
              }
              slot.queue.whenEmpty(() -> empty.complete(null));
              return null;
            });
    slot.empty = CompletableFuture.allOf(unwatched, empty);
    return slot.empty;
  }

  /** Ends a queue that has been stopped and has nothing under way. */
  public void close(int index) {
    Slot slot = find(index);
    active.remove(slot);
    slot.lane.closeInContext();
  }

  /** The context that a queue works on. */
  public AioContext context(int index) {
    return find(index).lane.context();
  }

  private Slot find(int index) {
    return active.stream().filter(slot -> slot.index == index).findFirst().orElseThrow();
  }

  /** Has all of them work. */
  void startAll() {
    List<Slot> starting = active.stream().filter(slot -> !slot.ending).toList();
    Runnable started = moved ? moveStats.holdSince(stoppedAtNs, starting.size()) : () -> {};
    moved = false;
    starting.forEach(slot -> start(slot, started));
  }

  private static void start(Slot slot, Runnable started) {
    BackendLane lane = slot.lane;
    lane.context()
        .execute(
            () -> {
              try {
                slot.queue.start(lane);
              } finally {
                started.run();
              }
            });
  }

  /**
   * Ends all of them, for a driver that is gone. Waits for what is on its way to the disk; what is
   * not, because the backend is throttled or quiesced, never happens.
   */
  public void endAll() {
    backend.quiesceBegin();
    try {
      closeAll();
    } finally {
      backend.quiesceEnd();
    }
  }

  /** As {@link #endAll}, for queues that stand still. */
  void closeAll() {
    List<Slot> ended = List.copyOf(active);
    // Before anything can fail: queues that have been stopped must not be stopped again.
    active.clear();
    // In every lane before one is closed: whatever fails, nothing goes on into the guest's memory.
    ended.forEach(slot -> discardWaiting(slot.lane));
    ended.forEach(slot -> slot.unwatched.join());
    RuntimeException failure = null;
    for (Slot slot : ended) {
      try {
        slot.lane.closeInContext();
      } catch (RuntimeException e) {
        failure = failure == null ? e : failure;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** The backend's user is told so: {@link dev.spindle.block.graph.BackendUser#drainedBegin}. */
  public Runnable drainedBegin() {
    stoppedAtNs = System.nanoTime();
    StoppingParts stopping = new StoppingParts();
    for (Slot slot : active) {
      if (!slot.ending) {
        stopping.stop(slot.lane.context(), slot.queue::stop);
      }
    }
    return stopping::await;
  }

  /** The backend's user is told so: {@link dev.spindle.block.graph.BackendUser#drainedEnd}. */
  public void drainedEnd() {
    startAll();
  }

  /** The backend's node is to go elsewhere: the queues follow. */
  public void prepareContextChange(AioContext target, ContextChange change) {
    change.add(new Move(QueuePlacement.all(placement.queues(), target)));
  }

  /** Moves one queue to another context; the node stays where it is. Waits. */
  void moveQueueTo(int index, AioContext target) {
    Move move = new Move(placement.with(index, target));
    backend.quiesceBegin();
    move.commit();
    backend.quiesceEnd();
    move.clean();
  }

  /** Waits until the queues have started, if they are to. */
  public void awaitStarted() {
    active.forEach(slot -> slot.lane.context().call(() -> null));
  }

  private BackendLane openLane(AioContext context) {
    return context.call(() -> backend.openLane(context));
  }

  private static void discardWaiting(BackendLane lane) {
    lane.context()
        .call(
            () -> {
              lane.discardWaiting();
              return null;
            });
  }

  /** The queues' own part in a move: themselves, their kicks, and requests that wait. */
  private final class Move implements Transaction.Action {
    private final QueuePlacement next;

    /** By position in {@link #active}: the queue's new lane, and after the commit its old one. */
    private final List<BackendLane> unused = new ArrayList<>();

    private final boolean atWork = !active.isEmpty() && !backend.isQuiesced();

    Move(QueuePlacement next) {
      this.next = next;
      for (Slot slot : active) {
        unused.add(openLane(next.of(slot.index)));
      }
    }

    @Override
    public void commit() {
      for (int i = 0; i < active.size(); i++) {
        Slot slot = active.get(i);
        BackendLane old = slot.lane;
        slot.lane = unused.get(i);
        slot.lane.adopt(old);
        slot.queue.lead(slot.lane);
        unused.set(i, old);
      }
      placement = next;
      moved = atWork;
    }

    @Override
    public void clean() {
      unused.forEach(BackendLane::closeInContext);
    }
  }
}
