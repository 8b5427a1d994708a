// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Errno;
import java.util.Set;

/** What to do when an event happens. */
sealed interface DebugRule {
  /** When the rule comes into play. */
  BlkdebugEvent event();

  /** The state in which it does; 0 for every state. */
  int state();

  /**
   * From the event on, requests fail; until another such rule's event, or once.
   *
   * @param types the requests concerned
   * @param errno not negated
   * @param sector only requests on this sector of 512 bytes; negative for all
   * @param once whether the rule is gone once a request has failed
   * @param immediately whether a request fails within its submission
   */
  record InjectError(
      BlkdebugEvent event,
      int state,
      Set<IoType> types,
      int errno,
      long sector,
      boolean once,
      boolean immediately)
      implements DebugRule {
    private static final int SECTOR = 512;
    private static final int MAX_ERRNO = 4095;

    static InjectError from(Options options) throws OptionException {
      return new InjectError(
          requireEvent(options),
          number(options, "state"),
          types(options),
          (int) options.number("errno", Errno.EIO, 1, MAX_ERRNO),
          options.number("sector", -1, -1, Long.MAX_VALUE / SECTOR),
          options.bool("once", false),
          options.bool("immediately", false));
    }

    private static Set<IoType> types(Options options) throws OptionException {
      return options.peek("iotype").isEmpty() && !options.isNoting()
          ? IoType.DEFAULT
          : Set.of(IoType.of(options.choice("iotype", "", IoType.qapiNames())));
    }

    /** Whether a request fails by it. A request without a range is on no sector. */
    boolean concerns(IoType type, long offset, long length) {
      long start = sector * SECTOR;
      boolean there =
          sector < 0 || (length > 0 && start < offset + length && start + SECTOR > offset);
      return there && types.contains(type);
    }
  }

  /** The event leads to another state. */
  record SetState(BlkdebugEvent event, int state, int newState) implements DebugRule {
    static SetState from(Options options) throws OptionException {
      checkGiven(options, "new_state");
      return new SetState(
          requireEvent(options), number(options, "state"), number(options, "new_state"));
    }
  }

  /** The next request that meets the event is suspended. */
  record Suspend(BlkdebugEvent event, String tag) implements DebugRule {
    @Override
    public int state() {
      return 0;
    }
  }

  private static BlkdebugEvent requireEvent(Options options) throws OptionException {
    checkGiven(options, "event");
    return BlkdebugEvent.of(options.choice("event", "", BlkdebugEvent.qapiNames()));
  }

  private static void checkGiven(Options options, String key) throws OptionException {
    if (options.peek(key).isEmpty()) {
      options.require(key);
    }
  }

  private static int number(Options options, String name) throws OptionException {
    return (int) options.number(name, 0, 0, Integer.MAX_VALUE);
  }
}
