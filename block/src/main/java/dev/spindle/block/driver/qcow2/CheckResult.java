// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.image.CheckableImage;

/**
 * What a check has found.
 *
 * @param corruptions errors that may cost data and were not mended
 * @param leaks clusters that nothing refers to and that were not freed
 * @param corruptionsFixed errors that were mended
 * @param leaksFixed leaks that were mended
 * @param imageEnd where the last used cluster ends, bytes
 * @param clusters what the image shows, in clusters
 * @param allocated those of the guest's clusters that have a place
 * @param fragmented of those, the ones that do not follow the one before
 * @param compressed of those, the compressed ones
 */
record CheckResult(
    long corruptions,
    long leaks,
    long corruptionsFixed,
    long leaksFixed,
    long imageEnd,
    long clusters,
    long allocated,
    long fragmented,
    long compressed) {
  /** As users see it. */
  CheckableImage.Result result() {
    return new CheckableImage.Result(
        corruptions,
        leaks,
        0,
        corruptionsFixed,
        leaksFixed,
        imageEnd,
        clusters,
        allocated,
        fragmented,
        compressed);
  }
}
