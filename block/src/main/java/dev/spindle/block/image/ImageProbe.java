// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import java.lang.foreign.MemorySegment;

/** For a format's {@link dev.spindle.block.graph.BlockDriver}: recognises images of the format. */
public interface ImageProbe {
  /** How much of an image is looked at, bytes. */
  int LENGTH = 2048;

  /**
   * Says how sure it is, as QEMU does: where several are, the surest is right.
   *
   * @param head the first {@value #LENGTH} bytes of the image, or all of it if it is shorter
   * @param filename the file's name, which counts little: anybody may call a file anything
   * @return 0 (it is none) to 100 (it is one)
   */
  int probe(MemorySegment head, String filename);
}
