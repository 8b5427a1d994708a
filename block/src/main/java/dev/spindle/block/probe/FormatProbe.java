// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.probe;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.image.ImageProbe;
import java.lang.foreign.MemorySegment;
import java.util.Collection;

/**
 * Finds out what format an image is in. Only for who was asked to guess: whoever can write a raw
 * image can make it look like another one, which names files of the host.
 */
public final class FormatProbe {
  /** What an image is that looks like no format. */
  public static final String RAW = "raw";

  private FormatProbe() {}

  /**
   * Returns the name of the driver that is surest, {@value #RAW} if none is.
   *
   * @param head the first bytes of the image: {@link ImageProbe#LENGTH}, or all there are
   * @param filename the image's name
   */
  public static String probe(Collection<BlockDriver> drivers, MemorySegment head, String filename) {
    String surest = RAW;
    int most = 0;
    for (BlockDriver driver : drivers) {
      if (driver instanceof ImageProbe prober) {
        int sure = prober.probe(head, filename);
        if (sure > most) {
          most = sure;
          surest = driver.name();
        }
      }
    }
    return surest;
  }
}
