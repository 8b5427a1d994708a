// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Which iothread each queue of a device works on.
 *
 * @param ioThreads names by queue; the empty name stands for the main loop
 */
public record QueueMapping(List<String> ioThreads) {
  /** The name that stands for the main loop. */
  public static final String MAIN_LOOP = "";

  /** Keeps an immutable copy. */
  public QueueMapping {
    ioThreads = List.copyOf(ioThreads);
  }

  /** Puts {@code queues} queues on one iothread. */
  public static QueueMapping all(int queues, String ioThread) {
    return new QueueMapping(Collections.nCopies(queues, ioThread));
  }

  /** Deals {@code queues} queues out to iothreads in turn. */
  public static QueueMapping inTurn(int queues, List<String> ioThreads) {
    List<String> names = new ArrayList<>();
    for (int queue = 0; queue < queues; queue++) {
      names.add(ioThreads.get(queue % ioThreads.size()));
    }
    return new QueueMapping(names);
  }
}
