// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;

/**
 * A dirty bitmap that says what to copy.
 *
 * @param bitmaps those of the node
 * @param bitmap one of them
 */
public record SyncBitmap(DirtyBitmaps bitmaps, DirtyBitmap bitmap) {}
