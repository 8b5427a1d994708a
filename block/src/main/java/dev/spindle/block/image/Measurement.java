// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import java.util.OptionalLong;

/**
 * How large an image's file would be: QAPI's BlockMeasureInfo.
 *
 * @param required bytes, with the data that there is
 * @param fullyAllocated bytes, once all of it is written
 * @param bitmaps bytes that the bitmaps take beside that, if there can be any
 */
public record Measurement(long required, long fullyAllocated, OptionalLong bitmaps) {}
