// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.devices.virtio.DeviceQueue;
import dev.spindle.devices.virtio.VirtioActivation;
import dev.spindle.devices.virtio.VirtioConfigSpace;
import dev.spindle.devices.virtio.VirtioDevice;
import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio block device (virtio 1.3, section 5.2). What it is and where its queues work is changed
 * by control work alone; the queues themselves run on their contexts.
 */
public final class VirtioBlkDevice implements VirtioDevice, BackendUser {
  private static final Logger LOG = LoggerFactory.getLogger(VirtioBlkDevice.class);

  private final String id;
  private final MainLoop mainLoop;
  private final VirtioBlkOptions options;
  private final BlockBackend backend;
  private final VirtioBlkConfig config;
  private final int queueCount;
  private final MoveStats moveStats = new MoveStats();

  // Protected by the control lock.
  private QueuePlacement placement;
  private final List<QueueSlot> active = new ArrayList<>();

  /** When the queues were told to stop, and whether a move is why they have. */
  private long stoppedAtNs;

  private boolean moved;

  /** What {@link #needsReset} tells; set while a driver has the device. Any thread reads. */
  private volatile VirtioActivation activation;

  /** A queue at work, and its way to the backend. */
  private static final class QueueSlot {
    final VirtioBlkQueue queue;
    final int index;
    BackendLane lane;

    QueueSlot(VirtioBlkQueue queue, int index) {
      this.queue = queue;
      this.index = index;
    }
  }

  /**
   * Makes a device on a node. Control side.
   *
   * @param id how the user names it
   * @param placement where its queues work; their number is the number of its queues
   * @throws BlockException if the node's other users do not share it with this one
   */
  public VirtioBlkDevice(
      String id,
      MainLoop mainLoop,
      BlockNode node,
      VirtioBlkOptions options,
      QueuePlacement placement)
      throws BlockException {
    this.id = id;
    this.mainLoop = mainLoop;
    this.options = options;
    this.placement = placement;
    this.queueCount = placement.queues();
    if (node.length() % options.logicalBlockSize() != 0) {
      throw new BlockException(
          "Device '%s': the length of node '%s' (%d bytes) is no multiple of logical_block_size %d"
              .formatted(id, node.name(), node.length(), options.logicalBlockSize()));
    }
    Set<Permission> used = EnumSet.of(Permission.CONSISTENT_READ);
    if (!node.readOnly()) {
      used.add(Permission.WRITE);
    }
    Set<Permission> shared = EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED);
    if (options.shareRw()) {
      shared.add(Permission.WRITE);
    }
    this.backend = new BlockBackend(node, this, used, shared);
    this.config = new VirtioBlkConfig(options, node, placement.queues());
    // A node follows its first user home; one that others use already stays where it is.
    if (node.parents().size() == 1) {
      ContextChange.run(node, placement.of(0));
    }
  }

  /** How the user names it. */
  public String id() {
    return id;
  }

  /** Its hold on the disk. */
  public BlockBackend backend() {
    return backend;
  }

  /** How its moves went. Any thread. */
  public MoveStats moveStats() {
    return moveStats;
  }

  /** Where its queues work. Control side. */
  public QueuePlacement placement() {
    return placement;
  }

  /** What its queues have done since the driver took the device. Control side. */
  public List<VirtioBlkStats> queueStats() {
    return active.stream().map(slot -> slot.queue.stats()).toList();
  }

  @Override
  public String describe() {
    return "block device '" + id + "'";
  }

  @Override
  public int deviceType() {
    return VirtioBlkFeatures.DEVICE_TYPE;
  }

  @Override
  public long features() {
    long features =
        VirtioBlkFeatures.SEG_MAX
            | VirtioBlkFeatures.BLK_SIZE
            | VirtioBlkFeatures.FLUSH
            | VirtioBlkFeatures.TOPOLOGY;
    if (backend.node().readOnly()) {
      features |= VirtioBlkFeatures.RO;
    } else {
      features |= options.discard() ? VirtioBlkFeatures.DISCARD : 0;
      features |= options.writeZeroes() ? VirtioBlkFeatures.WRITE_ZEROES : 0;
    }
    features |= options.configWce() ? VirtioBlkFeatures.CONFIG_WCE : 0;
    features |= queueCount() > 1 ? VirtioBlkFeatures.MQ : 0;
    return features;
  }

  @Override
  public int queueCount() {
    return queueCount;
  }

  @Override
  public int maxQueueSize(int queue) {
    return options.queueSize();
  }

  @Override
  public VirtioConfigSpace configSpace() {
    return config.space();
  }

  @Override
  public void writeConfig(int offset, int size, long value) {
    VirtioActivation now = activation;
    boolean negotiated = now != null && now.has(VirtioBlkFeatures.CONFIG_WCE);
    if (negotiated && VirtioBlkConfig.coversWriteback(offset, size)) {
      boolean writeback = VirtioBlkConfig.writebackOf(offset, value);
      config.setWriteback(writeback);
      backend.setWriteThrough(!writeback);
    }
  }

  @Override
  public void activate(VirtioActivation newActivation) {
    activation = newActivation;
    // A driver that will not flush must find each write on stable storage (section 5.2.6.2).
    boolean flushes =
        newActivation.has(VirtioBlkFeatures.FLUSH)
            || newActivation.has(VirtioBlkFeatures.CONFIG_WCE);
    backend.setWriteThrough(!flushes || !config.writeback());
    mainLoop.start(
        "activate-" + id,
        () -> {
          begin(newActivation);
          return null;
        });
  }

  /** A device whose queues nobody serves must say so, or its driver waits forever. */
  private void begin(VirtioActivation newActivation) {
    try {
      openQueues(newActivation);
      if (!backend.isQuiesced()) {
        startQueues();
      }
    } catch (RuntimeException | Error e) {
      LOG.error("{} cannot begin to work", describe(), e);
      newActivation.needsReset("it cannot begin to work: " + e.getMessage());
      closeQueues();
    }
  }

  private void openQueues(VirtioActivation newActivation) {
    RequestParser parser =
        new RequestParser(
            options,
            newActivation.features(),
            backend.node().length() >> VirtioBlkFeatures.SECTOR_SHIFT,
            backend.node().readOnly());
    for (int i = 0; i < newActivation.queueCount(); i++) {
      DeviceQueue queue = newActivation.queue(i);
      if (queue != null) {
        QueueSlot slot =
            new QueueSlot(new VirtioBlkQueue(this, queue, parser, options.queueSize()), i);
        slot.lane = openLane(placement.of(i));
        active.add(slot);
      }
    }
  }

  private void closeQueues() {
    List<QueueSlot> ended = List.copyOf(active);
    // Before anything can fail: queues that have been stopped must not be stopped again.
    active.clear();
    // In every lane before one is closed: whatever fails, nothing goes on into the guest's memory.
    ended.forEach(slot -> discardWaiting(slot.lane));
    RuntimeException failure = null;
    for (QueueSlot slot : ended) {
      try {
        closeLane(slot.lane);
      } catch (RuntimeException e) {
        failure = failure == null ? e : failure;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  @Override
  public CompletableFuture<Void> reset() {
    return mainLoop.start(
        "reset-" + id,
        () -> {
          end();
          return null;
        });
  }

  /**
   * Waits for what is on its way to the disk. What is not, because the backend is throttled or
   * quiesced, never happens.
   */
  private void end() {
    backend.quiesceBegin();
    try {
      closeQueues();
    } finally {
      backend.quiesceEnd();
    }
    activation = null;
    config.setWriteback(options.writeCache());
  }

  /** Takes the device out of service until its driver resets it. Any thread. */
  void needsReset(String reason) {
    VirtioActivation now = activation;
    if (now != null) {
      now.needsReset(reason);
    }
  }

  /**
   * Moves the device, its node, and all that hangs together with that node to another context,
   * while the guest goes on using it: no request is lost, failed, or reordered around a flush.
   * Control side; waits.
   *
   * @throws BlockException if some part cannot move; nothing has then
   */
  public void moveTo(AioContext target) throws BlockException {
    mainLoop.assertControl();
    ContextChange.run(backend.node(), target);
    awaitStarted();
  }

  /**
   * Moves one queue to another context, as {@link #moveTo} does the whole; the node stays where it
   * is. Control side; waits.
   *
   * @param queue 0 to {@link #queueCount} - 1
   */
  public void moveQueueTo(int queue, AioContext target) {
    mainLoop.assertControl();
    Move move = new Move(placement.with(queue, target));
    backend.quiesceBegin();
    move.commit();
    backend.quiesceEnd();
    move.clean();
    awaitStarted();
  }

  /** Waits until the queues have started, if they are to. */
  private void awaitStarted() {
    active.forEach(slot -> slot.lane.context().call(() -> null));
  }

  /** Stops taking requests and waits for those sent. Sections nest. Control side. */
  public void quiesce() {
    mainLoop.assertControl();
    backend.quiesceBegin();
  }

  /** Ends a {@link #quiesce}. Never waits. Control side. */
  public void resume() {
    mainLoop.assertControl();
    backend.quiesceEnd();
  }

  /** Lets go of the disk; the guest is gone. Control side; waits. */
  public void close() {
    mainLoop.assertControl();
    end();
    if (!backend.node().readOnly()) {
      int result = backend.flush(mainLoop.context());
      if (result != 0) {
        LOG.error("flushing {} failed: {}", describe(), Errno.message(-result));
      }
    }
    backend.close();
  }

  @Override
  public void prepareContextChange(AioContext target, ContextChange change) {
    change.add(new Move(QueuePlacement.all(placement.queues(), target)));
  }

  private void startQueues() {
    Runnable started = moved ? moveStats.holdSince(stoppedAtNs, active.size()) : () -> {};
    moved = false;
    for (QueueSlot slot : active) {
      BackendLane lane = slot.lane;
      lane.context()
          .execute(
              () -> {
                slot.queue.start(lane);
                started.run();
              });
    }
  }

  @Override
  public Runnable drainedBegin() {
    stoppedAtNs = System.nanoTime();
    return stopQueues();
  }

  @Override
  public void drainedEnd() {
    startQueues();
  }

  /** Tells every queue to stop; the result waits until they have. */
  private Runnable stopQueues() {
    List<CompletableFuture<Void>> still = new ArrayList<>();
    for (QueueSlot slot : active) {
      CompletableFuture<Void> done = new CompletableFuture<>();
      still.add(done);
      slot.lane.context().execute(() -> slot.queue.stop(() -> done.complete(null)));
    }
    return () -> still.forEach(CompletableFuture::join);
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

  private static void closeLane(BackendLane lane) {
    lane.context()
        .call(
            () -> {
              lane.close();
              return null;
            });
  }

  /** The device's own part in a move: its queues, their kicks, and requests that wait. */
  private final class Move implements Transaction.Action {
    private final QueuePlacement next;

    /** By position in {@link #active}: the queue's new lane, and after the commit its old one. */
    private final List<BackendLane> unused = new ArrayList<>();

    private final boolean atWork = !active.isEmpty() && !backend.isQuiesced();

    Move(QueuePlacement next) {
      this.next = next;
      for (QueueSlot slot : active) {
        unused.add(openLane(next.of(slot.index)));
      }
    }

    @Override
    public void commit() {
      for (int i = 0; i < active.size(); i++) {
        QueueSlot slot = active.get(i);
        BackendLane old = slot.lane;
        slot.lane = unused.get(i);
        slot.lane.adopt(old);
        unused.set(i, old);
      }
      placement = next;
      moved = atWork;
    }

    @Override
    public void clean() {
      unused.forEach(VirtioBlkDevice::closeLane);
    }
  }
}
