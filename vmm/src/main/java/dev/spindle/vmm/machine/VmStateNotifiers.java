// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Those who want to know when a machine stops and starts, in order of priority. When it stops they
 * are told from the highest priority to the lowest, when it starts from the lowest to the highest;
 * among equals, the last added comes first when stopping. Under the control lock.
 */
final class VmStateNotifiers {
  private record Entry(int priority, VmStateNotifier notifier) {}

  /** In the order of starting. */
  private final List<Entry> entries = new ArrayList<>();

  /** Adds a notifier; closing the result removes it. */
  Registration add(int priority, VmStateNotifier notifier) {
    Entry entry = new Entry(priority, notifier);
    entries.add(entry);
    entries.sort(Comparator.comparingInt(Entry::priority));
    return () -> entries.removeIf(other -> other == entry);
  }

  void notify(boolean running, RunState state) {
    // A notifier may remove itself or others.
    List<Entry> order = new ArrayList<>(running ? entries : entries.reversed());
    for (Entry entry : order) {
      if (entries.contains(entry)) {
        entry.notifier().vmStateChanged(running, state);
      }
    }
  }

  /** Undoes one {@link #add}. */
  @FunctionalInterface
  public interface Registration extends AutoCloseable {
    @Override
    void close();
  }
}
