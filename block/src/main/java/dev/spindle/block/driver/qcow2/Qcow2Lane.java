// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.qcow2.Entry.Kind;
import dev.spindle.block.driver.qcow2.Qcow2Options.DetectZeroes;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.HostRange;
import dev.spindle.linux.Errno;
import java.util.Arrays;

/**
 * One context's way into an image. What the tables in memory say of a request decides its way: data
 * in one piece goes straight to the file, zeroes are filled in, what a backing file holds goes
 * there; all else is straight-line code.
 */
final class Qcow2Lane extends BlockLane {
  /** How many alike ranges are put together for one answer. */
  private static final int MOST_RANGES = 256;

  private final Qcow2Node node;
  private final Qcow2Image image;
  private final AioContext context;
  private final String threadName;
  private final ImageLanes lanes;
  private final BlockLane file;
  private final BlockLane data;

  /** Whether a flush of the file reaches the data. */
  private final boolean together;

  private final Storage dataStorage;

  /** Null without a backing file. */
  private final LaneBacking backing;

  private final Qcow2Io io;
  private final ImageWriter writer;
  private final boolean writable;
  private final boolean discard;
  private final DetectZeroes detectZeroes;
  private final Epochs.Users users;
  private final ChildRequests requests = new ChildRequests();
  private final Found found = new Found();

  /** Those not in use; grows to the most that were ever on their way. */
  private Flight[] free = new Flight[16];

  private int freeCount;

  /** A request on its way straight to the file. */
  private final class Flight implements ChildRequest.Owner {
    private BlockRequest request;
    private int epoch;

    @Override
    public void ended(ChildRequest child, int result) {
      child.close();
      BlockRequest ended = request;
      request = null;
      image.epochs().end(users, epoch);
      if (freeCount == free.length) {
        free = Arrays.copyOf(free, 2 * freeCount);
      }
      free[freeCount++] = this;
      ended.complete(result);
    }
  }

  /**
   * Makes a lane, which {@link #close} closes with those it is given.
   *
   * @param lanes of the same context
   */
  Qcow2Lane(Qcow2Node node, AioContext context, ImageLanes lanes) {
    super(lanes.all());
    this.node = node;
    this.image = node.image();
    this.context = context;
    this.threadName = "qcow2-" + node.name();
    this.lanes = lanes;
    this.file = lanes.file();
    this.data = lanes.data();
    this.io = lanes.io();
    this.together = !io.external();
    this.dataStorage = io.data();
    this.backing = lanes.backing();
    this.writer = node.writer();
    this.writable = !node.readOnly();
    this.discard = node.options().discard();
    this.detectZeroes = node.options().detectZeroes();
    this.users = image.epochs().join();
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (leaves(request, offset, image.length())) {
      request.complete(-Errno.EIO);
      return;
    }
    boolean sent =
        switch (request.operation) {
          case READ -> request.length > 0 && read(request, offset);
          case WRITE -> request.length > 0 && write(request, offset);
          case FLUSH -> flush(request);
          case DISCARD, WRITE_ZEROES -> false;
        };
    if (!sent) {
      request.completeWith(context, threadName, () -> run(request, offset));
    }
  }

  private boolean read(BlockRequest request, long offset) {
    if (!writable) {
      return readStill(request, offset);
    }
    int epoch = image.epochs().begin(users);
    image.map().find(offset, request.length, found);
    if (found.kind == Kind.DATA && isWhole(request)) {
      sendOn(request, epoch);
      return true;
    }
    image.epochs().end(users, epoch);
    return readElsewhere(request, offset);
  }

  /** Nothing is ever given up: nobody needs to know when the request is over. */
  private boolean readStill(BlockRequest request, long offset) {
    image.map().find(offset, request.length, found);
    if (found.kind == Kind.DATA && isWhole(request)) {
      data.submit(request, found.host);
      return true;
    }
    return readElsewhere(request, offset);
  }

  private boolean readElsewhere(BlockRequest request, long offset) {
    if (found.kind == null || found.length < request.length) {
      return false;
    }
    if (found.kind == Kind.ABSENT && !io.nothingBelow(offset)) {
      if (offset + request.length > backing.length()) {
        return false;
      }
      backing.lane().submit(request, offset);
      return true;
    }
    if (found.kind == Kind.ABSENT || found.kind == Kind.ZERO) {
      request.buffers.fill(0, request.length, (byte) 0);
      request.complete(0);
      return true;
    }
    return false;
  }

  private boolean write(BlockRequest request, long offset) {
    if (!image.hasBegun()
        || request.mayPack
        || detectZeroes != DetectZeroes.OFF
        || (request.forceUnitAccess && image.metadata().isDirty())) {
      return false;
    }
    int epoch = image.epochs().begin(users);
    image.map().find(offset, request.length, found);
    if (found.kind == Kind.DATA && found.inPlace && isWhole(request)) {
      sendOn(request, epoch);
      return true;
    }
    image.epochs().end(users, epoch);
    return false;
  }

  /** Whether a request is for data in one piece, all of it inside the file as it is now. */
  private boolean isWhole(BlockRequest request) {
    return found.length >= request.length && found.host <= dataStorage.length() - request.length;
  }

  private void sendOn(BlockRequest request, int epoch) {
    Flight flight = freeCount > 0 ? free[--freeCount] : new Flight();
    flight.request = request;
    flight.epoch = epoch;
    ChildRequest child = requests.take(request.buffers.count());
    child.copy(request, found.host);
    child.buffers.addAll(request.buffers, 0, request.length);
    child.send(data, flight);
  }

  private boolean flush(BlockRequest request) {
    if (image.metadata().isDirty() || !together) {
      return false;
    }
    file.submit(request, 0);
    return true;
  }

  /** Straight-line code. Returns 0 or a negated errno. */
  private int run(BlockRequest request, long offset) {
    if (request.operation == Operation.FLUSH) {
      // It uses no clusters, and what was given up need not wait for it.
      return attempt(request, offset);
    }
    int epoch = image.epochs().begin(users);
    try {
      return attempt(request, offset);
    } finally {
      image.epochs().end(users, epoch);
    }
  }

  private int attempt(BlockRequest request, long offset) {
    try {
      carryOut(request, offset);
      return 0;
    } catch (Qcow2Exception e) {
      if (e.errno() != Errno.EOPNOTSUPP) {
        node.complain(e);
      }
      return -e.errno();
    }
  }

  private void carryOut(BlockRequest request, long offset) throws Qcow2Exception {
    switch (request.operation) {
      case READ -> image.read(io, offset, request.buffers, 0, request.length);
      case WRITE -> {
        if (detectZeroes != DetectZeroes.OFF && ZeroBytes.areAll(request.buffers)) {
          writer.zero(io, offset, request.length, detectZeroes == DetectZeroes.UNMAP);
        } else if (request.mayPack) {
          writer.writePacked(io, offset, request.buffers, 0, request.length);
        } else {
          writer.write(io, offset, request.buffers, 0, request.length);
        }
      }
      case WRITE_ZEROES -> {
        if (request.mustBeFast && !writer.zeroesFast(offset, request.length)) {
          throw new Qcow2Exception(Errno.EOPNOTSUPP, "zeroes would be written as data");
        }
        writer.zero(io, offset, request.length, request.mayUnmap && discard);
      }
      case DISCARD -> {
        if (discard) {
          writer.discard(io, offset, request.length);
        }
      }
      case FLUSH -> image.flush(io);
    }
    if (request.forceUnitAccess && request.operation != Operation.READ) {
      image.flush(io);
    }
  }

  /** Takes what follows one range after another, as long as they are alike. */
  private interface AlikeRanges {
    /**
     * Whether a range is like those before.
     *
     * @param offset where it begins
     * @return how much of it is, bytes; 0 if it is of another kind
     */
    long take(Found range, long offset);
  }

  /** How many bytes from an offset are alike; 0 if no metadata could be read. */
  private long walk(long offset, long length, AlikeRanges ranges) {
    long run = 0;
    Found range = new Found();
    int epoch = image.epochs().begin(users);
    try {
      for (int i = 0; i < MOST_RANGES && run < length; i++) {
        image.find(io, offset + run, length - run, range);
        long taken = ranges.take(range, offset + run);
        if (taken == 0) {
          break;
        }
        run += taken;
      }
    } catch (Qcow2Exception e) {
      node.complain(e);
    } finally {
      image.epochs().end(users, epoch);
    }
    return run;
  }

  private static final class AllocatedRanges implements AlikeRanges {
    private boolean started;
    private boolean held;

    @Override
    public long take(Found range, long offset) {
      boolean own = range.kind != Kind.ABSENT;
      if (started && own != held) {
        return 0;
      }
      started = true;
      held = own;
      return range.length;
    }
  }

  @Override
  public long allocated(long offset, long length) {
    AllocatedRanges ranges = new AllocatedRanges();
    long run = walk(offset, length, ranges);
    if (run == 0) {
      // Reading it will fail in its turn.
      return length;
    }
    return ranges.held ? run : -run;
  }

  private final class StatusRanges implements AlikeRanges {
    private BlockStatus first;

    @Override
    public long take(Found range, long offset) {
      BlockStatus status = status(range, offset);
      if (first == null) {
        first = status;
      }
      return first.goesOnIn(status) ? status.length() : 0;
    }
  }

  @Override
  public BlockStatus blockStatus(long offset, long length) {
    StatusRanges ranges = new StatusRanges();
    long run = walk(offset, length, ranges);
    if (run == 0) {
      return BlockStatus.allData(length);
    }
    return ranges.first.ofLength(run);
  }

  private BlockStatus status(Found range, long offset) {
    return switch (range.kind) {
      case DATA, COMPRESSED, INVALID -> BlockStatus.allData(range.length);
      case ZERO -> new BlockStatus(range.length, false, true, 1);
      case ABSENT -> {
        if (backing == null) {
          yield BlockStatus.inNoLayer(range.length);
        }
        long there = Math.min(range.length, backing.length() - offset);
        yield there <= 0
            ? BlockStatus.pastBacking(range.length)
            : backing.lane().blockStatus(offset, there).fromAbove();
      }
    };
  }

  @Override
  public HostRange hostRange(long offset, long length) {
    Found range = new Found();
    int epoch = image.epochs().begin(users);
    try {
      image.find(io, offset, length, range);
      return hostRange(range, offset);
    } catch (Qcow2Exception e) {
      node.complain(e);
      return HostRange.nowhere(length);
    } finally {
      image.epochs().end(users, epoch);
    }
  }

  private HostRange hostRange(Found range, long offset) {
    return switch (range.kind) {
      case DATA ->
          image.isEncrypted()
              ? HostRange.nowhere(range.length)
              : new HostRange(range.length, range.host);
      case COMPRESSED, INVALID -> HostRange.nowhere(range.length);
      case ZERO -> {
        if (Entry.host(range.descriptor) == 0 || image.isEncrypted()) {
          yield HostRange.nowhere(range.length);
        }
        // Zeroes in a row may have places that are not.
        long size = image.geometry().clusterSize();
        yield new HostRange(Math.min(range.length, size - (offset & size - 1)), range.host);
      }
      case ABSENT -> {
        if (io.nothingBelow(offset)) {
          yield HostRange.nowhere(range.length);
        }
        long inside = Math.min(range.length, backing.length() - offset);
        yield backing.lane().hostRange(offset, inside);
      }
    };
  }

  @Override
  public void close() {
    image.epochs().leave(users);
    lanes.close();
  }
}
