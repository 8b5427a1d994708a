// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.aio.AioContext;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Which context each queue of a device works on.
 *
 * @param contexts by queue index, at least one
 */
public record QueuePlacement(List<AioContext> contexts) {
  /** Copies the list. */
  public QueuePlacement {
    contexts = List.copyOf(contexts);
    if (contexts.isEmpty()) {
      throw new IllegalArgumentException("a device has at least one queue");
    }
  }

  /** All queues on one context. */
  public static QueuePlacement all(int queues, AioContext context) {
    return new QueuePlacement(Collections.nCopies(queues, context));
  }

  /** The same, but for one queue. */
  QueuePlacement with(int queue, AioContext context) {
    List<AioContext> changed = new ArrayList<>(contexts);
    changed.set(queue, context);
    return new QueuePlacement(changed);
  }

  int queues() {
    return contexts.size();
  }

  AioContext of(int queue) {
    return contexts.get(queue);
  }
}
