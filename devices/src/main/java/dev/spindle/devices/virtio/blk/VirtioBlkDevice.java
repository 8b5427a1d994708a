// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.devices.virtio.DeviceQueue;
import dev.spindle.devices.virtio.VirtioActivation;
import dev.spindle.devices.virtio.VirtioConfigSpace;
import dev.spindle.devices.virtio.VirtioDevice;
import dev.spindle.linux.Errno;
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
  private final DiskErrors errors;
  private final VirtioBlkModel model;
  private final int queueCount;
  private final VirtioBlkQueues queues;

  /** What {@link #needsReset} tells; set while a driver has the device. Any thread reads. */
  private volatile VirtioActivation activation;

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
    this.queueCount = placement.queues();
    this.errors = new DiskErrors(options.errors());
    this.queues = new VirtioBlkQueues(placement, this::needsReset, errors);
    checkLength(node);
    Set<Permission> used = EnumSet.of(Permission.CONSISTENT_READ);
    if (!node.readOnly()) {
      used.add(Permission.WRITE);
    }
    // Its driver is told when the disk gets another length.
    Set<Permission> shared =
        EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED, Permission.RESIZE);
    if (options.shareRw()) {
      shared.add(Permission.WRITE);
    }
    this.backend = new BlockBackend(node, this, used, shared);
    this.queues.attach(backend);
    this.model = new VirtioBlkModel(options, backend, true, queueCount);
    // A node follows its first user home; one that others use already stays where it is.
    if (node.parents().size() == 1) {
      try {
        ContextChange.run(node, placement.of(0));
      } catch (BlockException | RuntimeException e) {
        backend.close();
        throw e;
      }
    }
  }

  private void checkLength(BlockNode node) throws BlockException {
    if (node.length() % options.logicalBlockSize() != 0) {
      throw new BlockException(
          "Device '%s': the length of node '%s' (%d bytes) is no multiple of logical_block_size %d"
              .formatted(id, node.name(), node.length(), options.logicalBlockSize()));
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

  /** Names who is told of requests that fail, and has the machine stopped where that is asked. */
  public void onIoError(IoErrorListener listener) {
    errors.listen(listener);
  }

  /** Whether an error has stopped it. Any thread. */
  public IoStatus ioStatus() {
    return errors.status();
  }

  /** It is about to go on after an error. Any thread. */
  public void clearIoStatus() {
    errors.clear();
  }

  /** How its moves went. Any thread. */
  public MoveStats moveStats() {
    return queues.moveStats();
  }

  /** Where its queues work. Control side. */
  public QueuePlacement placement() {
    return queues.placement();
  }

  /** What its queues have done since the driver took the device. Control side. */
  public List<VirtioBlkStats> queueStats() {
    return queues.stats();
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
    return model.features();
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
    return model.configSpace();
  }

  @Override
  public void writeConfig(int offset, int size, long value) {
    VirtioActivation now = activation;
    if (now != null) {
      model.write(now.features(), offset, size, value);
    }
  }

  @Override
  public void activate(VirtioActivation newActivation) {
    activation = newActivation;
    model.agree(newActivation.features());
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
        queues.startAll();
      }
    } catch (RuntimeException | Error e) {
      LOG.error("{} cannot begin to work", describe(), e);
      newActivation.needsReset("it cannot begin to work: " + e.getMessage());
      queues.closeAll();
    }
  }

  private void openQueues(VirtioActivation newActivation) {
    RequestParser parser = model.parser(newActivation.features());
    for (int i = 0; i < newActivation.queueCount(); i++) {
      DeviceQueue queue = newActivation.queue(i);
      if (queue != null) {
        queues.open(i, queue, parser, options.queueSize());
      }
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

  private void end() {
    queues.endAll();
    activation = null;
    model.reset();
  }

  /** Takes the device out of service until its driver resets it. Any thread. */
  private void needsReset(String reason) {
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
    queues.awaitStarted();
  }

  /**
   * Moves one queue to another context, as {@link #moveTo} does the whole; the node stays where it
   * is. Control side; waits.
   *
   * @param queue 0 to {@link #queueCount} - 1
   */
  public void moveQueueTo(int queue, AioContext target) {
    mainLoop.assertControl();
    queues.moveQueueTo(queue, target);
    queues.awaitStarted();
  }

  /**
   * Has the device show another node, while the guest goes on using it: what was sent has reached
   * the node before, what comes later reaches this one. A node that nobody else uses follows to
   * where the one before was served; the driver is told of another length. Control side; waits.
   *
   * @throws BlockException if the node cannot take the place; nothing has changed then
   */
  public void changeNode(BlockNode next) throws BlockException {
    mainLoop.assertControl();
    checkLength(next);
    AioContext apart = next.context();
    AioContext here = backend.node().context();
    boolean follows = next.parents().isEmpty() && apart != here;
    if (follows) {
      ContextChange.run(next, here);
    }
    GraphChange change = new GraphChange();
    change.redirect(backend.root(), next);
    try {
      change.run();
    } catch (BlockException e) {
      if (follows) {
        ContextChange.run(next, apart);
      }
      throw e;
    }
    queues.awaitStarted();
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
    queues.prepareContextChange(target, change);
  }

  @Override
  public Runnable drainedBegin() {
    return queues.drainedBegin();
  }

  @Override
  public void drainedEnd() {
    VirtioActivation now = activation;
    // Before it is attached there is no model; without a driver, nobody to tell.
    if (model != null && model.refresh() && now != null) {
      now.configChanged();
    }
    queues.drainedEnd();
  }
}
