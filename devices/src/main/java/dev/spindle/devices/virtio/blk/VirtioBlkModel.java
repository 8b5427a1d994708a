// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.graph.BlockBackend;
import dev.spindle.devices.virtio.VirtioConfigSpace;

/**
 * What a block device is to its driver (virtio 1.3, section 5.2): features, configuration, and how
 * requests read. Any thread, where nothing else is said.
 */
public final class VirtioBlkModel {
  private final VirtioBlkOptions options;
  private final BlockBackend backend;
  private final boolean writable;
  private final int queueCount;
  private final VirtioBlkConfig config;

  /** Written by the control side. */
  private volatile long capacitySectors;

  /**
   * Describes a device on a backend's node. Control side.
   *
   * @param writable whether the driver may write if the node can be written now; one that cannot
   *     may be exchanged for one that can, but its user has not asked to write to it
   * @param queueCount how many queues it has
   */
  public VirtioBlkModel(
      VirtioBlkOptions options, BlockBackend backend, boolean writable, int queueCount) {
    this.options = options;
    this.backend = backend;
    this.writable = writable && !backend.node().readOnly();
    this.queueCount = queueCount;
    this.config = new VirtioBlkConfig(options, backend.node(), queueCount);
    this.capacitySectors = sectorsOfNode();
  }

  private long sectorsOfNode() {
    return (backend.node().length() & -options.logicalBlockSize())
        >> VirtioBlkFeatures.SECTOR_SHIFT;
  }

  /** Sectors that requests may reach. */
  long capacitySectors() {
    return capacitySectors;
  }

  /**
   * Looks how long the node is now. Control side, while the backend stands still.
   *
   * @return whether the driver is to be told that the configuration has changed
   */
  public boolean refresh() {
    long now = sectorsOfNode();
    if (now == capacitySectors) {
      return false;
    }
    capacitySectors = now;
    config.setCapacity(now);
    return true;
  }

  /** Its properties. */
  public VirtioBlkOptions options() {
    return options;
  }

  /** The features of its type that it offers. */
  public long features() {
    long features =
        VirtioBlkFeatures.SEG_MAX
            | VirtioBlkFeatures.BLK_SIZE
            | VirtioBlkFeatures.FLUSH
            | VirtioBlkFeatures.TOPOLOGY;
    if (!writable) {
      features |= VirtioBlkFeatures.RO;
    } else {
      features |= options.discard() ? VirtioBlkFeatures.DISCARD : 0;
      features |= options.writeZeroes() ? VirtioBlkFeatures.WRITE_ZEROES : 0;
    }
    features |= options.configWce() ? VirtioBlkFeatures.CONFIG_WCE : 0;
    features |= queueCount > 1 ? VirtioBlkFeatures.MQ : 0;
    return features;
  }

  /** What the driver reads. */
  public VirtioConfigSpace configSpace() {
    return config.space();
  }

  /**
   * The driver writes to the configuration space: it may switch the write cache, and nothing else.
   *
   * @param features what has been agreed on
   * @param size bytes: 1, 2, 4 or 8
   */
  public void write(long features, int offset, int size, long value) {
    boolean negotiated = (features & VirtioBlkFeatures.CONFIG_WCE) != 0;
    if (negotiated && VirtioBlkConfig.coversWriteback(offset, size)) {
      boolean writeback = VirtioBlkConfig.writebackOf(offset, value);
      config.setWriteback(writeback);
      backend.setWriteThrough(!writeback);
    }
  }

  /**
   * The driver has chosen its features: one that will not flush must find each write on stable
   * storage (section 5.2.6.2).
   */
  public void agree(long features) {
    boolean flushes = (features & (VirtioBlkFeatures.FLUSH | VirtioBlkFeatures.CONFIG_WCE)) != 0;
    backend.setWriteThrough(!flushes || !config.writeback());
  }

  /** The driver is gone: the write cache is as the options say. */
  public void reset() {
    config.setWriteback(options.writeCache());
  }

  RequestParser parser(long features) {
    return new RequestParser(this, features, !writable);
  }
}
