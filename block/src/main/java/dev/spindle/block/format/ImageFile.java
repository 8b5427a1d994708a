// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A child that holds an image, or a part of one, as straight-line code of one context reads and
 * writes it: every call waits. Virtual threads of that context only; several at a time.
 *
 * <p>Who writes past the end makes the child longer, if the node above has {@link
 * dev.spindle.block.graph.Permission#RESIZE} and the child can.
 */
public final class ImageFile {
  /** The most bytes of metadata that are read in one piece, whatever an image claims. */
  public static final int MOST_METADATA = 16 << 20;

  private final BlockNode node;
  private final BlockLane lane;
  private final ChildRequests requests = new ChildRequests();
  private final BounceBuffers buffers = new BounceBuffers();

  /**
   * Uses a lane, which its owner closes.
   *
   * @param lane to {@code node}
   */
  public ImageFile(BlockNode node, BlockLane lane) {
    this.node = node;
    this.lane = lane;
  }

  /** How long it is now, in bytes. */
  public long length() {
    return node.length();
  }

  /** As errors name it. */
  public String name() {
    return node.localFile().map(path -> "'" + path + "'").orElse("node '" + node.name() + "'");
  }

  /** The file's path, if it is one of this host. */
  public Optional<Path> path() {
    return node.localFile();
  }

  /** Memory in which data may be on its way here. */
  public BounceBuffers buffers() {
    return buffers;
  }

  /**
   * Makes it longer or shorter; what is added reads as zeroes, and nothing is on its way to what is
   * cut off.
   *
   * @throws ImageException if it cannot be, or the host has no room
   */
  public void resize(long length) throws ImageException {
    try {
      node.resize(length);
    } catch (BlockException e) {
      throw new ImageException(Errno.ENOSPC, e.getMessage());
    }
  }

  /**
   * Whether a range is known to read as zeroes.
   *
   * @param offset in bytes
   * @param length in bytes, positive
   */
  public boolean isZero(long offset, long length) {
    long end = offset + length;
    long position = offset;
    while (position < end && position < length()) {
      var status = lane.blockStatus(position, Math.min(end, length()) - position);
      if (!status.zero()) {
        return false;
      }
      position += status.length();
    }
    return true;
  }

  /**
   * Reads metadata, all of which must be there.
   *
   * @param bytes from 1 to {@link #MOST_METADATA}
   * @throws ImageException if the file ends before, or reading fails
   */
  public Fields read(long offset, int bytes, ByteOrder order) throws ImageException {
    checkInside(offset, bytes);
    Fields fields = Fields.zeroes(bytes, order);
    read(offset, fields.memory());
    return fields;
  }

  /**
   * Refuses a range that is not in the file.
   *
   * @throws ImageException if some of it lies past the end, or it is larger than {@link
   *     #MOST_METADATA}
   */
  public void checkInside(long offset, long bytes) throws ImageException {
    if (bytes > MOST_METADATA) {
      throw new ImageException(
          "%s: %d bytes of metadata at offset %d are more than the %d that are taken"
              .formatted(name(), bytes, offset, MOST_METADATA));
    }
    if (offset < 0 || bytes < 0 || offset > length() - bytes) {
      throw new ImageException(
          "%s has %d bytes, and no metadata at offset %d".formatted(name(), length(), offset));
    }
  }

  /** Reads into native memory; what lies past the end reads as zeroes. */
  public void read(long offset, MemorySegment target) throws ImageException {
    long inside = Math.clamp(length() - offset, 0, target.byteSize());
    target.asSlice(inside).fill((byte) 0);
    transfer(Operation.READ, offset, target, inside);
  }

  /** Writes native memory. */
  public void write(long offset, MemorySegment source) throws ImageException {
    transfer(Operation.WRITE, offset, source, source.byteSize());
  }

  /** Writes metadata. */
  public void write(long offset, Fields source) throws ImageException {
    write(offset, source.memory());
  }

  private void transfer(Operation operation, long offset, MemorySegment memory, long length)
      throws ImageException {
    if (length == 0) {
      return;
    }
    try (ChildRequest request = requests.take(1)) {
      prepare(request, operation, offset, length);
      request.buffers.add(memory, 0, length);
      check(operation, offset, request.run(lane));
    }
  }

  /** Reads into a part of a list of buffers; what lies past the end reads as zeroes. */
  public void read(long offset, IoVector data, long dataOffset, long length) throws ImageException {
    long inside = Math.clamp(length() - offset, 0, length);
    data.fill(dataOffset + inside, length - inside, (byte) 0);
    transfer(Operation.READ, offset, data, dataOffset, inside);
  }

  /** Writes a part of a list of buffers. */
  public void write(long offset, IoVector data, long dataOffset, long length)
      throws ImageException {
    transfer(Operation.WRITE, offset, data, dataOffset, length);
  }

  /**
   * Writes a part of a list of buffers, with what comes before and after it, as one request if it
   * can be one.
   *
   * @param offset where {@code head} goes, in bytes
   * @param head native memory; may be empty
   * @param tail native memory; may be empty
   */
  public void write(
      long offset,
      MemorySegment head,
      IoVector data,
      long dataOffset,
      long length,
      MemorySegment tail)
      throws ImageException {
    long tailOffset = offset + head.byteSize() + length;
    if (data.count() + 2 > IoVector.MAX_CAPACITY) {
      write(offset, head);
      write(offset + head.byteSize(), data, dataOffset, length);
      write(tailOffset, tail);
      return;
    }
    try (ChildRequest request = requests.take(data.count() + 2)) {
      prepare(request, Operation.WRITE, offset, tailOffset + tail.byteSize() - offset);
      request.buffers.add(head, 0, head.byteSize());
      request.buffers.addAll(data, dataOffset, length);
      request.buffers.add(tail, 0, tail.byteSize());
      check(Operation.WRITE, offset, request.run(lane));
    }
  }

  private void transfer(
      Operation operation, long offset, IoVector data, long dataOffset, long length)
      throws ImageException {
    if (length == 0) {
      return;
    }
    try (ChildRequest request = requests.take(data.count())) {
      prepare(request, operation, offset, length);
      request.buffers.addAll(data, dataOffset, length);
      check(operation, offset, request.run(lane));
    }
  }

  /**
   * Has a range read as zeroes.
   *
   * @param mayUnmap whether it may give up its storage
   * @param mustBeFast whether to fail with EOPNOTSUPP rather than write zeroes as data
   */
  public void zero(long offset, long length, boolean mayUnmap, boolean mustBeFast)
      throws ImageException {
    if (length == 0) {
      return;
    }
    try (ChildRequest request = requests.take(1)) {
      prepare(request, Operation.WRITE_ZEROES, offset, length);
      request.mayUnmap = mayUnmap;
      request.mustBeFast = mustBeFast;
      check(Operation.WRITE_ZEROES, offset, request.run(lane));
    }
  }

  /** Gives a range up: what it holds is of no use any more. */
  public void discard(long offset, long length) throws ImageException {
    long inside = Math.clamp(length() - offset, 0, length);
    if (inside == 0) {
      return;
    }
    try (ChildRequest request = requests.take(1)) {
      prepare(request, Operation.DISCARD, offset, inside);
      check(Operation.DISCARD, offset, request.run(lane));
    }
  }

  /** Has all that was written be on stable storage. */
  public void flush() throws ImageException {
    try (ChildRequest request = requests.take(1)) {
      prepare(request, Operation.FLUSH, 0, 0);
      check(Operation.FLUSH, 0, request.run(lane));
    }
  }

  private static void prepare(ChildRequest request, Operation operation, long offset, long length) {
    request.operation = operation;
    request.offset = offset;
    request.length = length;
    request.forceUnitAccess = false;
    request.mayUnmap = false;
    request.mustBeFast = false;
  }

  private void check(Operation operation, long offset, int result) throws ImageException {
    if (result >= 0) {
      return;
    }
    String what =
        switch (operation) {
          case READ -> "read at offset " + offset + " of ";
          case WRITE -> "write at offset " + offset + " of ";
          case WRITE_ZEROES -> "write zeroes at offset " + offset + " of ";
          case DISCARD -> "discard at offset " + offset + " of ";
          case FLUSH -> "flush ";
        };
    throw new ImageException(
        -result, "Could not %s%s: %s".formatted(what, name(), Errno.message(-result)));
  }
}
