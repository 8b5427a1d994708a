// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.plugin.DiskException;
import dev.spindle.linux.Errno;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What becomes of the things that a plugin throws. What it did not mean is logged, once until a
 * request has gone well again: a guest must not be able to fill the log. Any thread.
 */
final class PluginFailures {
  private static final Logger LOG = LoggerFactory.getLogger(PluginFailures.class);

  private final String node;

  /** Whether the latest request known of has failed. Set by any of the node's lanes, unlocked. */
  private volatile boolean failing;

  PluginFailures(String node) {
    this.node = node;
  }

  /** A request has gone well. */
  void none() {
    if (failing) {
      failing = false;
    }
  }

  /** The error number for whoever sent the request. */
  int errno(Operation operation, Throwable thrown) {
    if (thrown instanceof DiskException meant) {
      LOG.debug(
          "node '{}': the driver fails a {}: {} ({})",
          node,
          operation,
          meant.getMessage(),
          Errno.name(meant.errno()));
      return meant.errno();
    }
    if (!failing) {
      failing = true;
      log(operation, thrown);
    }
    return thrown instanceof OutOfMemoryError ? Errno.ENOMEM : Errno.EIO;
  }

  /** It was asked for an extent, and did not say that it meant to fail. */
  void extent(Throwable thrown) {
    if (!(thrown instanceof DiskException) && !failing) {
      failing = true;
      log("question for an extent", thrown);
    }
  }

  private void log(Object what, Throwable thrown) {
    try {
      LOG.warn("node '{}': the driver failed a {}", node, what, thrown);
    } catch (Throwable e) {
      // No memory to say so; the request fails all the same.
      thrown.addSuppressed(e);
    }
  }
}
