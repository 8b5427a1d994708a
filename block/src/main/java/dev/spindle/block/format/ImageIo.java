// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import java.util.List;

/**
 * An image's files as one context's straight-line code uses them.
 *
 * @param files the image's own first
 */
public record ImageIo(List<ImageFile> files) {
  /** Copies the list. */
  public ImageIo {
    files = List.copyOf(files);
  }

  /** The image's own. */
  public ImageFile file() {
    return files.getFirst();
  }

  /** One of the image's files. */
  public ImageFile file(int index) {
    return files.get(index);
  }
}
