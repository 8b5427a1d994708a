// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.graph.SharedMemory;
import dev.spindle.linux.LinuxException;
import java.io.IOException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets a back end reach memory of others, and has it reach that no more. A back end that takes
 * memory one by one (CONFIGURE_MEM_SLOTS) gets it while the queues work; any other one gets all of
 * it anew (SET_MEM_TABLE) while they stand still, for it may look at its memory at any time. The
 * link's thread only.
 */
final class FrontEndSharing {
  private static final Logger LOG = LoggerFactory.getLogger(FrontEndSharing.class);

  private final String nodeName;
  private final FrontEndQueues queues;
  private final BooleanSupplier over;

  /**
   * Begins with nothing that is shared.
   *
   * @param over whether there is no use in waiting for the back end
   */
  FrontEndSharing(String nodeName, FrontEndQueues queues, BooleanSupplier over) {
    this.nodeName = nodeName;
    this.queues = queues;
    this.over = over;
  }

  /**
   * Shares some memory, or says in the log why its data are copied.
   *
   * @param connection null while there is none; the next one begins with what is shared
   * @param own what the connection's queues are in
   */
  void begin(SharedMemory memory, FrontEndConnection connection, FrontEndMemory own)
      throws IOException {
    SharedRegions more = queues.shared().with(memory);
    if (more == null) {
      LOG.warn("{}: too many pieces of memory for a vhost-user back end", nodeName);
      return;
    }
    if (connection == null || connection.isHungUp()) {
      queues.setShared(more);
    } else if (connection.takesMoreMemory()) {
      connection.addMemory(more.find(memory));
      queues.setShared(more);
    } else {
      replace(more, connection, own);
    }
  }

  /** Ends {@link #begin}; nothing is on its way from or to that memory. */
  void end(SharedMemory memory, FrontEndConnection connection, FrontEndMemory own)
      throws IOException {
    SharedRegions.Region region = queues.shared().find(memory);
    if (region == null) {
      return;
    }
    SharedRegions fewer = queues.shared().without(memory);
    queues.setShared(fewer);
    if (connection != null && connection.takesMoreMemory()) {
      connection.removeMemory(region);
    } else if (connection != null) {
      replace(fewer, connection, own);
    }
  }

  private void replace(SharedRegions regions, FrontEndConnection connection, FrontEndMemory own)
      throws IOException {
    try {
      if (queues.pause(() -> over.getAsBoolean() || isGone(connection))) {
        connection.replaceMemory(own, regions, queues.list());
        queues.setShared(regions);
      } else if (isGone(connection)) {
        // Whoever comes next begins with that.
        queues.setShared(regions);
      } else {
        LOG.warn("{}: requests do not end, and so memory cannot be shared anew", nodeName);
      }
    } finally {
      queues.resume();
    }
  }

  private static boolean isGone(FrontEndConnection connection) {
    try {
      return connection.isHungUp();
    } catch (LinuxException e) {
      LOG.debug("a connection cannot be looked at, and counts as gone", e);
      return true;
    }
  }
}
