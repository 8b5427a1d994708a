// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.List;

/**
 * Changes that happen together or not at all. Preparing an action may fail and must change nothing
 * that anybody sees; an action is added once it is prepared. Then either {@link #commit} or {@link
 * #abort} is called, exactly once; neither can fail. Control side only.
 */
public final class Transaction {
  /** One prepared change. None of its methods may throw. */
  public interface Action {
    /** Makes the change. Called in the order of preparation. */
    default void commit() {}

    /** Takes back what preparing did. Called in reverse order. */
    default void abort() {}

    /** Releases what commit and abort both leave. Called last, in reverse order. */
    default void clean() {}
  }

  /** What a preparation returns that has nothing to do later. */
  public static final Action NOTHING = new Action() {};

  /** Two prepared changes as one, the second prepared after the first. */
  public static Action both(Action first, Action second) {
    return new Action() {
      @Override
      public void commit() {
        first.commit();
        second.commit();
      }

      @Override
      public void abort() {
        second.abort();
        first.abort();
      }

      @Override
      public void clean() {
        second.clean();
        first.clean();
      }
    };
  }

  private final List<Action> actions = new ArrayList<>();
  private boolean ended;

  /** Adds a change that has been prepared. */
  public void add(Action action) {
    checkOpen();
    actions.add(action);
  }

  /** Makes every change. */
  public void commit() {
    checkOpen();
    ended = true;
    actions.forEach(Action::commit);
    actions.reversed().forEach(Action::clean);
  }

  /** Makes no change. */
  public void abort() {
    checkOpen();
    ended = true;
    actions.reversed().forEach(Action::abort);
    actions.reversed().forEach(Action::clean);
  }

  private void checkOpen() {
    if (ended) {
      throw new IllegalStateException("this transaction has ended");
    }
  }
}
