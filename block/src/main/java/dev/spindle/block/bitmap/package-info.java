// SPDX-License-Identifier: Apache-2.0

/** Which parts of a disk were written: hierarchical bitmaps, and the dirty bitmaps of a node. */
package dev.spindle.block.bitmap;
