// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

import dev.spindle.linux.Errno;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells of members that fail or are outvoted: once when one goes bad, not for each request, until
 * it has done well again. Any thread.
 */
final class MemberHealth {
  private static final Logger LOG = LoggerFactory.getLogger(MemberHealth.class);
  private static final int SECTOR = 512;

  private final String quorum;
  private final List<String> members;

  /** 1 from the time that a member has been told of until it does well. Any lane. */
  private final AtomicIntegerArray bad;

  MemberHealth(String quorum, List<String> members) {
    this.quorum = quorum;
    this.members = members;
    this.bad = new AtomicIntegerArray(members.size());
  }

  /**
   * A member ended a request; negative {@code result} for an errno. Costs a load if all is well.
   */
  void ended(int member, int result, long offset) {
    if (result == 0) {
      if (bad.get(member) != 0) {
        bad.set(member, 0);
      }
    } else if (bad.getAndSet(member, 1) == 0) {
      LOG.warn(
          "quorum '{}': node '{}' failed at sector {}: {}",
          quorum,
          members.get(member),
          offset / SECTOR,
          Errno.message(-result));
    }
  }

  /** A member's data differs from what the others agree on. */
  void outvoted(int member, long offset) {
    if (bad.getAndSet(member, 1) == 0) {
      LOG.warn(
          "quorum '{}': node '{}' differs from the others at sector {}",
          quorum,
          members.get(member),
          offset / SECTOR);
    }
  }

  /** Too few agree on what a read returns. */
  void noQuorum(long offset, long length) {
    LOG.error(
        "quorum '{}': too few nodes agree in the {} bytes from sector {} on",
        quorum,
        length,
        offset / SECTOR);
  }
}
