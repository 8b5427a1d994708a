// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph.User;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** Reads and writes bytes through a node that a test opens by its description. */
final class Io {
  final TestGraph test;
  final BlockNode node;
  final BackendLane lane;

  Io(TestGraph test, String description) throws Exception {
    this.test = test;
    this.node = test.get(() -> test.graph.open(Disk.options(description)));
    BlockBackend backend =
        test.get(
            () -> new BlockBackend(node, new User("u"), TestGraph.READ_WRITE, Permission.all()));
    this.lane = test.lane(backend, test.io0);
  }

  static MemorySegment memory(long bytes) {
    return Arena.ofAuto().allocate(Math.max(1, bytes), 8).asSlice(0, bytes);
  }

  static MemorySegment filled(int length, int value) {
    MemorySegment memory = memory(length);
    memory.fill((byte) value);
    return memory;
  }

  TestRequest send(TestRequest request) {
    return TestGraph.send(lane, request);
  }

  TestRequest startWrite(long offset, int length, int value) {
    return send(TestRequest.transfer(Operation.WRITE, offset, filled(length, value)));
  }

  /** Writes a value all over a range; 0 or a negated errno. */
  int write(long offset, int length, int value) {
    return startWrite(offset, length, value).result.join();
  }

  int range(Operation operation, long offset, long length) {
    return send(TestRequest.range(operation, offset, length)).result.join();
  }

  /** Reads without looking at what was read; 0 or a negated errno. */
  int read(long offset, int length) {
    return send(TestRequest.transfer(Operation.READ, offset, memory(length))).result.join();
  }

  byte[] bytes(long offset, int length) {
    MemorySegment memory = filled(length, 0xee);
    int result = send(TestRequest.transfer(Operation.READ, offset, memory)).result.join();
    if (result != 0) {
      throw new AssertionError("read ended with " + result);
    }
    return memory.toArray(ValueLayout.JAVA_BYTE);
  }

  static byte[] repeated(int length, int value) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }
}
