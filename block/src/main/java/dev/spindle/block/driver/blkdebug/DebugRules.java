// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.driver.blkdebug.DebugRule.InjectError;
import dev.spindle.block.driver.blkdebug.DebugRule.SetState;
import dev.spindle.block.driver.blkdebug.DebugRule.Suspend;
import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The rules of a node at work: its state, the errors that are to be injected, and the requests that
 * are suspended. Shared by all of the node's lanes. Any thread.
 */
final class DebugRules {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  /** Protected by the lock, as what follows is; newest last. */
  private final List<DebugRule> rules;

  /** Newest first: the first that concerns a request decides. */
  private final List<InjectError> active = new ArrayList<>();

  private final List<Suspension> suspensions = new ArrayList<>();
  private int state = 1;

  /** Whether no event and no request can come to anything. Written under the lock. */
  private volatile boolean quiet;

  /** Somebody who met breakpoints. */
  private static final class Stopped {
    final Runnable goOn;
    int breakpoints;

    Stopped(Runnable goOn) {
      this.goOn = goOn;
    }
  }

  private record Suspension(String tag, Stopped stopped) {}

  DebugRules(List<DebugRule> rules) {
    this.rules = new ArrayList<>(rules);
    fire(BlkdebugEvent.NONE, () -> {});
  }

  /**
   * Takes the lock without ever queueing for it: behind a virtual thread that the calling thread
   * carries, it would wait for ever.
   */
  private void acquire() {
    while (!lock.tryLock()) {
      Thread.yield();
    }
  }

  /** Whether events and requests need not be shown to it. */
  boolean isQuiet() {
    return quiet;
  }

  /** Whether a rule waits for an event. */
  boolean awaits(BlkdebugEvent event) {
    acquire();
    try {
      return rules.stream().anyMatch(rule -> rule.event() == event);
    } finally {
      lock.unlock();
    }
  }

  /**
   * An event happens.
   *
   * @param goOn run by whoever resumes, if this is suspended
   * @return whether it is suspended
   */
  boolean fire(BlkdebugEvent event, Runnable goOn) {
    acquire();
    try {
      Stopped stopped = new Stopped(goOn);
      boolean injects = false;
      int nextState = state;
      for (DebugRule rule : List.copyOf(rules)) {
        if (rule.event() != event || (rule.state() != 0 && rule.state() != state)) {
          continue;
        }
        switch (rule) {
          case InjectError error -> {
            if (!injects) {
              active.clear();
              injects = true;
            }
            active.addFirst(error);
          }
          case SetState set -> nextState = set.newState();
          case Suspend suspend -> {
            rules.remove(suspend);
            suspensions.add(new Suspension(suspend.tag(), stopped));
            stopped.breakpoints++;
          }
        }
      }
      state = nextState;
      update();
      return stopped.breakpoints > 0;
    } finally {
      lock.unlock();
    }
  }

  /** The error by which a request fails, or null. */
  InjectError check(IoType type, long offset, long length) {
    acquire();
    try {
      for (InjectError error : active) {
        if (error.concerns(type, offset, length)) {
          if (error.once()) {
            active.remove(error);
            rules.remove(error);
            update();
          }
          return error;
        }
      }
      return null;
    } finally {
      lock.unlock();
    }
  }

  private void update() {
    quiet = rules.isEmpty() && active.isEmpty();
    changed.signalAll();
  }

  void add(Suspend breakpoint) {
    acquire();
    try {
      rules.add(breakpoint);
      update();
    } finally {
      lock.unlock();
    }
  }

  boolean isSuspended(String tag) {
    acquire();
    try {
      return suspensions.stream().anyMatch(suspension -> suspension.tag().equals(tag));
    } finally {
      lock.unlock();
    }
  }

  void awaitSuspended(String tag) {
    acquire();
    try {
      while (!isSuspended(tag)) {
        changed.awaitUninterruptibly();
      }
    } finally {
      lock.unlock();
    }
  }

  void resume(String tag) throws BlockException {
    List<Runnable> free = new ArrayList<>();
    acquire();
    try {
      if (!resumeNewest(tag, free)) {
        throw new BlockException("No request is suspended with tag '" + tag + "'");
      }
    } finally {
      lock.unlock();
    }
    free.forEach(Runnable::run);
  }

  void remove(String tag) throws BlockException {
    List<Runnable> free = new ArrayList<>();
    acquire();
    try {
      boolean any =
          rules.removeIf(rule -> rule instanceof Suspend suspend && suspend.tag().equals(tag));
      update();
      while (resumeNewest(tag, free)) {
        any = true;
      }
      if (!any) {
        throw new BlockException("There is no breakpoint with tag '" + tag + "'");
      }
    } finally {
      lock.unlock();
    }
    free.forEach(Runnable::run);
  }

  /** Adds who may go on, unless another breakpoint still holds it. */
  private boolean resumeNewest(String tag, List<Runnable> free) {
    for (int i = suspensions.size() - 1; i >= 0; i--) {
      if (suspensions.get(i).tag().equals(tag)) {
        Stopped stopped = suspensions.remove(i).stopped();
        if (--stopped.breakpoints == 0) {
          free.add(stopped.goOn);
        }
        return true;
      }
    }
    return false;
  }
}
