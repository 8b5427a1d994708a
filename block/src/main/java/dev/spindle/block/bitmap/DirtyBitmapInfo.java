// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

/**
 * What users are told of a dirty bitmap: QAPI's BlockDirtyInfo.
 *
 * @param name unique within the node
 * @param count dirty bytes
 * @param granularity bytes for one bit
 * @param recording whether what is written is recorded
 * @param busy whether a job, an export or a migration holds it
 * @param persistent whether it lives on in the image file
 * @param inconsistent whether the image file says that it was not saved properly
 */
public record DirtyBitmapInfo(
    String name,
    long count,
    long granularity,
    boolean recording,
    boolean busy,
    boolean persistent,
    boolean inconsistent) {}
