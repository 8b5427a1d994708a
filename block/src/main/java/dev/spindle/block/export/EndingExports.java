// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Says which of those exports that end at the same time are left. Any thread. */
final class EndingExports {
  private final Consumer<String> step;

  /** What each is called. Guarded by {@link #step}. */
  private final Map<BlockExport, String> left = new LinkedHashMap<>();

  EndingExports(Consumer<String> step) {
    this.step = step;
  }

  /** They begin to end. Control side. */
  void begin(List<BlockExport> exports) {
    synchronized (step) {
      for (BlockExport export : exports) {
        left.put(export, "export '%s' of node '%s'".formatted(export.id(), export.node().name()));
      }
      tell();
    }
  }

  /** One has ended. */
  void ended(BlockExport export) {
    synchronized (step) {
      left.remove(export);
      tell();
    }
  }

  private void tell() {
    if (!left.isEmpty()) {
      step.accept("closing " + String.join(", ", left.values()));
    }
  }
}
