// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import java.util.OptionalLong;

/**
 * An internal snapshot.
 *
 * @param id unique in its image; a number, as text
 * @param name given by the user; may be empty
 * @param vmStateBytes how much of a machine's state it holds
 * @param seconds when it was made, since 1970
 * @param nanoseconds the rest of that time
 * @param vmClockNanoseconds how long the machine had run
 * @param instructionCount where the machine counts instructions
 */
public record SnapshotDescription(
    String id,
    String name,
    long vmStateBytes,
    long seconds,
    int nanoseconds,
    long vmClockNanoseconds,
    OptionalLong instructionCount) {}
