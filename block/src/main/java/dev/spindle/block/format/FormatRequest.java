// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.util.concurrent.locks.ReentrantLock;

/** One request on its way through an image. Straight-line code of the lane's context. */
final class FormatRequest {
  /** Bytes that are copied or unpacked at once. */
  private static final long PIECE = 1 << 20;

  private final FormatNode node;
  private final Image image;
  private final ImageIo io;

  /** Null without a backing file. */
  private final Below below;

  private final BlockRequest request;
  private final long start;
  private final long end;

  FormatRequest(FormatNode node, ImageIo io, Below below, BlockRequest request, long offset) {
    this.node = node;
    this.image = node.image();
    this.io = io;
    this.below = below;
    this.request = request;
    this.start = offset;
    this.end = offset + request.length;
  }

  /** Something that is done with metadata. */
  @FunctionalInterface
  private interface Locked<T> {
    T run() throws ImageException;
  }

  private static <T> T locked(FormatNode node, Locked<T> body) throws ImageException {
    ReentrantLock lock = node.imageLock();
    lock.lock();
    try {
      return body.run();
    } finally {
      lock.unlock();
    }
  }

  /** Where the start of a range is; at least one byte of it, and no more than was asked for. */
  static Extent map(FormatNode node, ImageIo io, long offset, long length) throws ImageException {
    Extent extent = locked(node, () -> node.image().map(io, offset, length));
    if (extent.length() < 1 || extent.length() > length) {
      throw new IllegalStateException(extent + " for " + length + " bytes at " + offset);
    }
    return extent;
  }

  /** Carries it out. Returns 0 or a negated errno. */
  int run() {
    try {
      switch (request.operation) {
        case READ -> read(start, end, request.buffers, 0);
        case WRITE, WRITE_ZEROES -> {
          write();
          if (request.forceUnitAccess) {
            flush();
          }
        }
        case FLUSH -> flush();
        // Only a hint, and these formats keep what they have.
        case DISCARD -> {}
      }
      return 0;
    } catch (ImageException e) {
      if (e.errno() != Errno.EOPNOTSUPP) {
        node.complain(e);
      }
      return -e.errno();
    }
  }

  private void flush() throws ImageException {
    if (node.readOnly()) {
      return;
    }
    change(() -> image.flush(io));
    for (ImageFile file : io.files()) {
      file.flush();
    }
  }

  private void read(long from, long to, IoVector data, long dataOffset) throws ImageException {
    for (long position = from; position < to; ) {
      long at = dataOffset + position - from;
      Extent extent = map(node, io, position, to - position);
      long length = extent.length();
      switch (extent) {
        case Extent.Data(int file, long offset, long bytes) ->
            io.file(file).read(offset, data, at, bytes);
        case Extent.Zeroes zeroes -> data.fill(at, length, (byte) 0);
        case Extent.Absent absent -> readBelow(position, data, at, length);
        case Extent.Packed packed -> unpack(position, data, at, length);
      }
      position += length;
    }
  }

  private void readBelow(long position, IoVector data, long at, long length) throws ImageException {
    if (below == null) {
      data.fill(at, length, (byte) 0);
    } else {
      below.read(position, data, at, length);
    }
  }

  private void unpack(long position, IoVector data, long at, long length) throws ImageException {
    for (long done = 0; done < length; ) {
      long piece = Math.min(PIECE, length - done);
      long from = position + done;
      try (BounceBuffers.Buffer buffer = io.file().buffers().take(piece)) {
        change(() -> image.unpack(io, from, buffer.memory()));
        data.copyFrom(at + done, buffer.memory(), 0, piece);
      }
      done += piece;
    }
  }

  private void write() throws ImageException {
    if (!node.isChanged()) {
      change(
          () -> {
            if (!node.isChanged()) {
              image.firstChange(io);
              node.setChanged(true);
            }
          });
    }
    for (long position = start; position < end; ) {
      Extent extent = map(node, io, position, end - position);
      if (extent instanceof Extent.Data data) {
        put(position, data);
        position += data.length();
      } else {
        long same = alreadyZero(position, extent);
        position = same > 0 ? position + same : writeNew(position);
      }
    }
  }

  /** Writes to where the image holds data. */
  private void put(long position, Extent.Data data) throws ImageException {
    ImageFile file = io.file(data.file());
    if (request.operation == BlockRequest.Operation.WRITE) {
      file.write(data.offset(), request.buffers, position - start, data.length());
    } else {
      file.zero(data.offset(), data.length(), request.mayUnmap, request.mustBeFast);
    }
  }

  /** How much of an extent's start need not be written, since zeroes are, where there are some. */
  private long alreadyZero(long position, Extent extent) {
    if (request.operation != BlockRequest.Operation.WRITE_ZEROES) {
      return 0;
    }
    return switch (extent) {
      case Extent.Data data -> 0;
      case Extent.Packed packed -> 0;
      case Extent.Zeroes zeroes -> zeroes.length();
      case Extent.Absent absent -> {
        if (below == null) {
          yield absent.length();
        }
        BlockStatus status = below.status(position, absent.length());
        yield status.zero() ? status.length() : 0;
      }
    };
  }

  /**
   * Changes some of a cluster that has no room yet, unless another request gives it some meanwhile.
   *
   * @return how far it has come
   */
  private long writeNew(long position) throws ImageException {
    if (request.mustBeFast) {
      throw new ImageException(Errno.EOPNOTSUPP, "zeroes would have to be written");
    }
    long size = image.clusterSize();
    long cluster = position - position % size;
    RangeLocks.Held held = node.allocations().lock(cluster, cluster + size, true);
    try (held) {
      if (map(node, io, position, end - position) instanceof Extent.Data) {
        return position;
      }
      long to = Math.min(end, cluster + size);
      long clusterEnd = Math.min(image.length(), cluster + size);
      NewCluster room = locked(node, () -> image.allocate(io, cluster));
      boolean linked = false;
      try {
        keep(cluster, position, cluster, room);
        put(
            position,
            new Extent.Data(room.file(), room.offset() + position - cluster, to - position));
        keep(to, clusterEnd, cluster, room);
        if (!room.zeroed()) {
          long used = clusterEnd - cluster;
          io.file(room.file()).zero(room.offset() + used, size - used, false, false);
        }
        change(() -> image.link(io, cluster, room));
        linked = true;
      } finally {
        if (!linked) {
          change(() -> image.release(room));
        }
      }
      return to;
    }
  }

  /** Something that changes metadata. */
  @FunctionalInterface
  private interface Change {
    void run() throws ImageException;
  }

  private void change(Change body) throws ImageException {
    locked(
        node,
        () -> {
          body.run();
          return null;
        });
  }

  /** Copies what a reader sees of a part of a cluster to the cluster's new room. */
  private void keep(long from, long to, long cluster, NewCluster room) throws ImageException {
    for (long position = from; position < to; ) {
      Extent extent = map(node, io, position, to - position);
      long target = room.offset() + position - cluster;
      long length;
      if (readsAsZeroes(position, extent)) {
        length = extent.length();
        if (!room.zeroed()) {
          io.file(room.file()).zero(target, length, false, false);
        }
      } else {
        length = Math.min(PIECE, extent.length());
        try (BounceBuffers.Buffer buffer = io.file().buffers().take(length)) {
          read(position, position + length, buffer.vector(), 0);
          io.file(room.file()).write(target, buffer.memory());
        }
      }
      position += length;
    }
  }

  private boolean readsAsZeroes(long position, Extent extent) {
    return switch (extent) {
      case Extent.Zeroes zeroes -> true;
      case Extent.Absent absent -> below == null || below.isZero(position, absent.length());
      case Extent.Data data -> false;
      case Extent.Packed packed -> false;
    };
  }
}
