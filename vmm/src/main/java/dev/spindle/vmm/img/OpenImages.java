// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.ArrayDeque;
import java.util.Deque;

/** Images that are closed together, the last one first. */
final class OpenImages implements AutoCloseable {
  private final Deque<ToolImage> images = new ArrayDeque<>();

  ToolImage add(ToolImage image) {
    images.push(image);
    return image;
  }

  @Override
  public void close() throws ToolException {
    while (!images.isEmpty()) {
      images.pop().close();
    }
  }
}
