// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.CommandFlags;
import dev.spindle.block.nbd.RequestHeader;
import java.lang.foreign.MemorySegment;

/** One request of a client from its header to its reply. Pooled by its connection. */
final class NbdRequest extends BlockRequest {
  /** Bytes kept for the head of the reply, an error's message among them. */
  static final int HEAD_BYTES = 256;

  private final NbdConnection connection;

  /** Where the head of its reply is put together. */
  final MemorySegment heads;

  final long headOffset;
  int headBytes;

  long cookie;

  /** {@link Command}. */
  int command;

  /** {@link CommandFlags}. */
  int flags;

  /** As the client said. */
  long requestOffset;

  long requestLength;

  /** The block of payload memory; negative if it has none. */
  long block = NONE;

  /** For how many bytes the block was taken. */
  long blockBytes;

  /** Bytes of the reply that are in the block. */
  long replyBytes;

  /** Link of the queue that it is in. */
  NbdRequest nextInQueue;

  static final long NONE = -1;

  private boolean flushAfter;

  NbdRequest(NbdConnection connection, MemorySegment heads, long headOffset) {
    super(1);
    this.connection = connection;
    this.heads = heads;
    this.headOffset = headOffset;
  }

  /** Takes over what a header says. */
  void begin(RequestHeader header) {
    cookie = header.cookie;
    command = header.command;
    flags = header.flags;
    requestOffset = header.offset;
    requestLength = header.length;
    replyBytes = 0;
    flushAfter = false;
  }

  /** Makes it a request to the backend. */
  void translate(MemorySegment memory) {
    buffers.clear();
    offset = requestOffset;
    length = requestLength;
    forceUnitAccess = false;
    mayUnmap = false;
    mustBeFast = false;
    onlyFetch = command == Command.CACHE;
    boolean durable = (flags & CommandFlags.FUA) != 0;
    switch (command) {
      case Command.READ, Command.CACHE -> {
        operation = Operation.READ;
        addBlock(memory);
      }
      case Command.WRITE -> {
        operation = Operation.WRITE;
        forceUnitAccess = durable;
        addBlock(memory);
      }
      case Command.WRITE_ZEROES -> {
        operation = Operation.WRITE_ZEROES;
        forceUnitAccess = durable;
        mayUnmap = (flags & CommandFlags.NO_HOLE) == 0;
        mustBeFast = (flags & CommandFlags.FAST_ZERO) != 0;
      }
      case Command.TRIM -> {
        operation = Operation.DISCARD;
        flushAfter = durable;
      }
      case Command.FLUSH -> flush();
      default -> throw new IllegalStateException(Command.name(command));
    }
  }

  private void addBlock(MemorySegment memory) {
    if (length > 0) {
      buffers.add(memory, block, length);
    }
  }

  private void flush() {
    operation = Operation.FLUSH;
    offset = 0;
    length = 0;
  }

  @Override
  protected void completed(int result) {
    if (flushAfter && result == 0) {
      // A backend has no durable discard.
      flushAfter = false;
      flush();
      connection.submit(this);
    } else {
      connection.completed(this, result);
    }
  }
}
