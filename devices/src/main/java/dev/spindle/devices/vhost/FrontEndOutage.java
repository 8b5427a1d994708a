// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The time in which a node has no back end, at first or again: how long that has gone on, and what
 * is said about it. The link's thread only.
 */
final class FrontEndOutage {
  private static final Logger LOG = LoggerFactory.getLogger(FrontEndOutage.class);

  /** After which time a back end that is there but does not answer is mentioned. */
  private static final long SILENCE_NS = 1_000_000_000;

  private static final long SECOND_NS = 1_000_000_000;

  private final String nodeName;
  private final FrontEndOptions options;
  private long beginNs = System.nanoTime();
  private boolean silenceMentioned;

  /** Begins with the outage before the first connection. */
  FrontEndOutage(String nodeName, FrontEndOptions options) {
    this.nodeName = nodeName;
    this.options = options;
  }

  /** The back end is gone. */
  void begin() {
    beginNs = System.nanoTime();
    silenceMentioned = false;
    if (options.reconnectDelay() == 0) {
      LOG.error("node '{}': the vhost-user back end at {} is gone", nodeName, options.path());
    } else {
      LOG.warn(
          "node '{}': the vhost-user back end at {} is gone; requests wait {} s for it to come"
              + " back",
          nodeName,
          options.path(),
          options.reconnectDelay());
    }
  }

  /** How long opening may still take, in nanoseconds; none if not positive. */
  long openingNs() {
    return beginNs + options.openTimeout() * SECOND_NS - System.nanoTime();
  }

  /** Whether requests have waited for as long as they shall. */
  boolean isTooLong() {
    return System.nanoTime() - beginNs >= options.reconnectDelay() * SECOND_NS;
  }

  /** Requests fail from now on. */
  void giveUp() {
    LOG.error(
        "node '{}': the vhost-user back end at {} has not come back; requests fail",
        nodeName,
        options.path());
  }

  /** The back end is there, but does not answer, or does not even accept. */
  void silence() {
    if (!silenceMentioned && System.nanoTime() - beginNs >= SILENCE_NS) {
      silenceMentioned = true;
      LOG.warn(
          "node '{}': the vhost-user back end at {} does not answer; it may be serving somebody"
              + " else",
          nodeName,
          options.path());
    }
  }
}
