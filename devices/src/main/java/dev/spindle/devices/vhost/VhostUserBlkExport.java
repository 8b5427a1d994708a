// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.export.BlockExport;
import dev.spindle.block.export.ExportSite;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.devices.virtio.blk.ErrorPolicies;
import dev.spindle.devices.virtio.blk.QueuePlacement;
import dev.spindle.devices.virtio.blk.VirtioBlkModel;
import dev.spindle.devices.virtio.blk.VirtioBlkOptions;
import dev.spindle.devices.virtio.blk.VirtioBlkQueues;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.UnixSocket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A node served as a virtio block device over vhost-user: to one client at a time, the next one
 * when it has gone. A thread of its own waits for clients and for what they say; their requests are
 * served by the node's iothread, from the same queues that a device of a machine has.
 */
final class VhostUserBlkExport implements BlockExport {
  static final String TYPE = "vhost-user-blk";

  private static final Logger LOG = LoggerFactory.getLogger(VhostUserBlkExport.class);

  /** What clients are told that a request may have: header and status apart, as many pieces. */
  private static final int CHAIN_DESCRIPTORS = 128;

  private static final long MOST_SECTORS = Integer.MAX_VALUE >> 9;

  /**
   * How long an export that is closed waits for the requests of its client that are throttled, or
   * held back.
   */
  private static final int LAST_ANSWERS_SECONDS = 5;

  /** How long not to accept anybody when there are no descriptors left. */
  private static final Duration PAUSE = Duration.ofSeconds(1);

  private final ExportSite site;
  private final VirtioBlkQueues queues;
  private final BlockBackend backend;
  private final VirtioBlkModel model;
  private final int queueCount;
  private final boolean unsealedMemory;
  private final Listener listener;

  /** The client that is served, or null. Written by control work; any thread reads. */
  private volatile VhostUserSession session;

  /** Set by control work. */
  private volatile boolean closing;

  private VhostUserBlkExport(ExportSite site, VhostUserBlkOptions options) throws BlockException {
    this.site = site;
    this.queueCount = options.queues();
    this.unsealedMemory = options.unsealedMemory();
    int block = options.logicalBlockSize();
    BlockNode node = site.node();
    if (node.length() % block != 0) {
      throw new BlockException(
          "Export '%s': the length of node '%s' (%d bytes) is no multiple of logical-block-size %d"
              .formatted(id(), node.name(), node.length(), block));
    }
    this.queues = new VirtioBlkQueues(QueuePlacement.all(queueCount, node.context()), this::broken);
    this.listener = Listener.open(id(), options.address());
    try {
      this.backend = site.openBackend(this);
    } catch (BlockException | RuntimeException e) {
      listener.stop();
      listener.close();
      throw e;
    }
    this.queues.attach(backend);
    // Where the iothread is that the user wants.
    this.queues.place(QueuePlacement.all(queueCount, backend.node().context()));
    this.model =
        new VirtioBlkModel(deviceOptions(block), backend, site.options().writable(), queueCount);
  }

  /**
   * Begins to serve a node. Control side.
   *
   * @throws BlockException if the node cannot be had, or the socket
   */
  static VhostUserBlkExport open(ExportSite site, VhostUserBlkOptions options)
      throws BlockException {
    VhostUserBlkExport export = new VhostUserBlkExport(site, options);
    Thread.ofPlatform().daemon().name("vhost-user-" + export.id()).start(export::serve);
    return export;
  }

  private VirtioBlkOptions deviceOptions(int block) {
    boolean cache = !site.options().writeThrough();
    return new VirtioBlkOptions(
        site.options().id().substring(0, Math.min(20, site.options().id().length())),
        cache,
        cache,
        true,
        true,
        MOST_SECTORS,
        MOST_SECTORS,
        CHAIN_DESCRIPTORS,
        block,
        block,
        0,
        0,
        -1,
        true,
        ErrorPolicies.REPORT);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public boolean isInUse() {
    return session != null;
  }

  @Override
  public BlockBackend backend() {
    return backend;
  }

  @Override
  public ExportSite site() {
    return site;
  }

  VirtioBlkQueues queues() {
    return queues;
  }

  VirtioBlkModel model() {
    return model;
  }

  int queueCount() {
    return queueCount;
  }

  boolean takesUnsealedMemory() {
    return unsealedMemory;
  }

  private void serve() {
    try {
      while (!closing) {
        serveNext();
      }
    } catch (RejectedExecutionException e) {
      LOG.debug("{} ends with the main loop", describe());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      listener.close();
    }
  }

  /** What one client cannot have, descriptors or memory, the next one may. */
  private void serveNext() throws InterruptedException {
    try {
      serve(listener.accept());
    } catch (LinuxException e) {
      if (!closing) {
        LOG.warn("{} cannot serve a client: {}", describe(), e.getMessage());
        Thread.sleep(PAUSE);
      }
    } catch (RejectedExecutionException e) {
      throw e;
    } catch (RuntimeException | Error e) {
      LOG.error("{}: a client could not be served for a fault of ours", describe(), e);
      Thread.sleep(PAUSE);
    }
  }

  private void serve(UnixSocket client) throws LinuxException {
    VhostUserSession next = new VhostUserSession(this, client);
    boolean begun =
        site.mainLoop()
            .control(
                "begin-client",
                () -> {
                  if (!closing) {
                    model.refresh();
                    session = next;
                  }
                  return !closing;
                });
    if (begun) {
      next.run();
    } else {
      next.discard();
    }
  }

  /** A client has gone, or has to. Control side; waits for what it has under way. */
  void end(VhostUserSession ended) {
    if (session == ended) {
      session = null;
      try {
        queues.endAll();
      } finally {
        model.reset();
        ended.release();
      }
    }
  }

  /** A queue has given up. Any thread. */
  private void broken(String reason) {
    VhostUserSession now = session;
    if (now != null) {
      now.fail(reason);
    }
  }

  /**
   * Has a client's queues take no more. Control side; does not wait.
   *
   * @return completed once none of its requests is under way
   */
  CompletableFuture<Void> quiet(VhostUserSession ending) {
    if (session != ending) {
      return CompletableFuture.completedFuture(null);
    }
    queues.stopAll();
    return backend.idle();
  }

  @Override
  public CompletableFuture<Void> stop() {
    site.mainLoop().assertControl();
    closing = true;
    listener.stop();
    VhostUserSession now = session;
    if (now == null) {
      return CompletableFuture.completedFuture(null);
    }
    return now.finish()
        .completeOnTimeout(null, LAST_ANSWERS_SECONDS, TimeUnit.SECONDS)
        .thenCompose(
            _ -> {
              now.hangUp();
              return site.mainLoop().start("idle", backend::idle);
            })
        .thenCompose(idle -> idle);
  }

  @Override
  public void close() {
    site.mainLoop().assertControl();
    VhostUserSession now = session;
    if (now != null) {
      now.hangUp();
      end(now);
    }
  }

  @Override
  public Runnable drainedBegin() {
    return queues.drainedBegin();
  }

  @Override
  public void drainedEnd() {
    VhostUserSession now = session;
    // There is no client yet while this is being made, nor a model.
    if (now != null && model.refresh()) {
      now.configChanged();
    }
    queues.drainedEnd();
  }

  @Override
  public void prepareContextChange(AioContext target, ContextChange change) {
    queues.prepareContextChange(target, change);
  }
}
