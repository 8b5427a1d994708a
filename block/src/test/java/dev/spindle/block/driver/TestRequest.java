// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver;

import dev.spindle.block.graph.BlockRequest;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;

/** A request whose end a test can wait for. */
public final class TestRequest extends BlockRequest {
  public final CompletableFuture<Integer> result = new CompletableFuture<>();

  private TestRequest(Operation operation, long offset, long length) {
    super(16);
    this.operation = operation;
    this.offset = offset;
    this.length = length;
  }

  public static TestRequest transfer(Operation operation, long offset, MemorySegment... buffers) {
    long length = 0;
    for (MemorySegment buffer : buffers) {
      length += buffer.byteSize();
    }
    TestRequest request = new TestRequest(operation, offset, length);
    for (MemorySegment buffer : buffers) {
      request.buffers.add(buffer, 0, buffer.byteSize());
    }
    return request;
  }

  public static TestRequest range(Operation operation, long offset, long length) {
    return new TestRequest(operation, offset, length);
  }

  @Override
  protected void completed(int status) {
    if (!result.complete(status)) {
      throw new AssertionError("completed twice");
    }
  }
}
