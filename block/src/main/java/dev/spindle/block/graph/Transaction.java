// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Changes that happen together or not at all. Preparing an action may fail and must change nothing
 * that anybody sees; an action is added once it is prepared. Then either {@link #commit} or {@link
 * #abort} is called, exactly once; neither can fail. What an action throws all the same, being out
 * of memory or wrong, keeps no other from its end: that of a section may be among them. Control
 * side only.
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
        inTurn(first::commit, second::commit);
      }

      @Override
      public void abort() {
        inTurn(second::abort, first::abort);
      }

      @Override
      public void clean() {
        inTurn(second::clean, first::clean);
      }
    };
  }

  /** Runs steps, each whatever another has thrown; then throws the first of that. */
  private static void inTurn(Runnable... steps) {
    Throwable failure = null;
    for (Runnable step : steps) {
      try {
        step.run();
      } catch (RuntimeException | Error e) {
        if (failure == null) {
          failure = e;
        } else if (failure != e) {
          failure.addSuppressed(e);
        }
      }
    }
    switch (failure) {
      case null -> {}
      case Error error -> throw error;
      default -> throw (RuntimeException) failure;
    }
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
    end(actions, action -> action::commit);
  }

  /** Makes no change. */
  public void abort() {
    end(actions.reversed(), action -> action::abort);
  }

  private void end(List<Action> order, Function<Action, Runnable> fate) {
    checkOpen();
    ended = true;
    Stream<Runnable> fates = order.stream().map(fate);
    Stream<Runnable> cleaning = actions.reversed().stream().map(action -> action::clean);
    inTurn(Stream.concat(fates, cleaning).toArray(Runnable[]::new));
  }

  private void checkOpen() {
    if (ended) {
      throw new IllegalStateException("this transaction has ended");
    }
  }
}
