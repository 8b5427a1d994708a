// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;

/**
 * What a user says of a {@code virtio-blk-vhost-user} node, in libblkio's words.
 *
 * @param path the socket that the back end listens on
 * @param queues {@code num-queues}: virtqueues, 1 to {@value #MOST_QUEUES}
 * @param queueSize {@code queue-size}: entries of each, a power of two
 * @param readOnly {@code read-only}
 * @param reconnectDelay {@code reconnect-delay}: for how many seconds requests wait for a back end
 *     that is gone to come back
 * @param openTimeout {@code open-timeout}: for how many seconds opening waits for a back end that
 *     is there but busy
 */
record FrontEndOptions(
    Path path, int queues, int queueSize, boolean readOnly, int reconnectDelay, int openTimeout) {
  /** A queue's number has 8 bits where a descriptor goes along. */
  static final int MOST_QUEUES = 256;

  private static final int OPEN_TIMEOUT = 30;
  private static final int LEAST_QUEUE_SIZE = 4;
  private static final int MOST_QUEUE_SIZE = 1024;

  static FrontEndOptions from(Options options) throws OptionException {
    Path path = Path.of(options.require("path"));
    int queues = (int) options.number("num-queues", 1, 1, MOST_QUEUES);
    int queueSize = (int) options.number("queue-size", 128, LEAST_QUEUE_SIZE, MOST_QUEUE_SIZE);
    boolean readOnly = options.bool("read-only", false);
    int delay = (int) options.number("reconnect-delay", 0, 0, Integer.MAX_VALUE);
    int timeout = (int) options.number("open-timeout", OPEN_TIMEOUT, 1, Integer.MAX_VALUE);
    if (Integer.bitCount(queueSize) != 1) {
      throw new OptionException(
          options.owner() + ": 'queue-size' is " + queueSize + ", which is no power of two");
    }
    return new FrontEndOptions(path, queues, queueSize, readOnly, delay, timeout);
  }

  /**
   * Refuses others that differ in more than {@code read-only}.
   *
   * @throws BlockException naming the first that does
   */
  void checkSame(FrontEndOptions other) throws BlockException {
    checkSame("path", path, other.path);
    checkSame("num-queues", queues, other.queues);
    checkSame("queue-size", queueSize, other.queueSize);
    checkSame("reconnect-delay", reconnectDelay, other.reconnectDelay);
    checkSame("open-timeout", openTimeout, other.openTimeout);
  }

  private static void checkSame(String option, Object before, Object after) throws BlockException {
    if (!before.equals(after)) {
      throw new BlockException("Cannot change the option '" + option + "'");
    }
  }
}
