// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.IoVector;
import dev.spindle.vmm.io.IoCommand.Misuse;
import dev.spindle.vmm.tool.ToolRequest;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A range of an image for which there are several buffers.
 *
 * @param offset bytes
 * @param lengths of the buffers, bytes
 * @param total of those
 */
record Vector(long offset, long[] lengths, long total) {
  /** Reads {@code off len [len..]}. */
  static Vector parse(List<String> words) throws Misuse {
    if (words.size() < 2) {
      throw new Misuse();
    }
    long offset = Numbers.bytes(words.getFirst());
    int count = words.size() - 1;
    if (count > IoVector.MAX_CAPACITY) {
      throw new Misuse("at most " + IoVector.MAX_CAPACITY + " lengths can be given");
    }
    long[] lengths = new long[count];
    long total = 0;
    for (int i = 0; i < count; i++) {
      lengths[i] = Numbers.length(words.get(i + 1));
      total += lengths[i];
      if (total > Numbers.MOST) {
        throw new Misuse("The total number of bytes exceed the maximum size " + Numbers.MOST);
      }
    }
    return new Vector(offset, lengths, total);
  }

  /** A request with all buffers in one piece of memory. */
  ToolRequest request(Operation operation, MemorySegment data) {
    ToolRequest request = new ToolRequest(lengths.length).set(operation, offset, total);
    long done = 0;
    for (long length : lengths) {
      request.with(data.asSlice(done, length));
      done += length;
    }
    return request;
  }
}
