// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import java.util.OptionalLong;

/** For a node that stores data itself: how much storage that takes. */
public interface StoredImage {
  /** Bytes of storage that are taken up; empty if nobody knows. Control side; may wait. */
  OptionalLong storedBytes();
}
