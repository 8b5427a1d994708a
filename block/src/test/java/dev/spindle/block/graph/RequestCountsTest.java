// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.graph.BlockRequest.Operation;
import org.junit.jupiter.api.Test;

class RequestCountsTest {
  private static BlockRequest request(Operation operation, long offset, long length) {
    BlockRequest request =
        new BlockRequest(1) {
          @Override
          protected void completed(int result) {}
        };
    request.operation = operation;
    request.offset = offset;
    request.length = length;
    return request;
  }

  @Test
  void eachOperationIsCountedForItselfAndFailuresApart() {
    RequestCounts counts = new RequestCounts();
    counts.count(request(Operation.WRITE, 8192, 4096), 0);
    counts.count(request(Operation.WRITE, 0, 512), 0);
    counts.count(request(Operation.WRITE, 1 << 20, 512), -5);
    counts.count(request(Operation.READ, 1 << 20, 1024), 0);
    counts.count(request(Operation.FLUSH, 0, 0), 0);
    RequestCounts sum = new RequestCounts();
    sum.addAll(counts);
    sum.addAll(counts);
    assertEquals(4, sum.requests(Operation.WRITE));
    assertEquals(2 * 4608, sum.bytes(Operation.WRITE));
    assertEquals(2, sum.failed(Operation.WRITE));
    assertEquals(2048, sum.bytes(Operation.READ));
    assertEquals(2, sum.requests(Operation.FLUSH));
    assertEquals(0, sum.requests(Operation.DISCARD));
    assertEquals(12288, sum.highestWrite(), "what failed has written nothing");
  }
}
