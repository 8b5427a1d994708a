// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.linux.Fd;
import java.lang.foreign.MemorySegment;

/**
 * Memory that lives long, that requests have their buffers in, and that other processes can map: a
 * guest's, for one ({@link BlockGraph#share}).
 *
 * @param segment where it is mapped here
 * @param file what it is a mapping of, for reading and writing; a memfd. Stays its owner's
 * @param fileOffset where in the file it begins, bytes
 */
public record SharedMemory(MemorySegment segment, Fd file, long fileOffset) {}
