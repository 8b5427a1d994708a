// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.CommandFlags;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.NbdError;
import dev.spindle.block.nbd.RequestHeader;
import dev.spindle.block.nbd.TransmissionFlags;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One request on its way through a channel: cut into commands that the server takes, one after the
 * other. Pooled by the channel; on its thread only.
 */
final class Flight {
  /** The most that a compact header is asked for without data; its length has 32 bits. */
  private static final long LONGEST_COMPACT = 1L << 30;

  /** Zeroes that are written by hand; a request names them again and again. */
  private static final MemorySegment ZEROES = Arena.global().allocate(64 << 10, 4096).asReadOnly();

  /** Bytes of zeroes in one command. */
  private static final long LONGEST_ZEROES = 64 * ZEROES.byteSize();

  /** Ranges of memory that one command is sent from, beside its header. */
  private static final int MOST_RANGES = IoVector.MAX_CAPACITY - 1;

  private final Channel channel;

  /** Place in the channel's table: the lower half of its cookies. */
  final int index;

  private final MemorySegment head;

  /** Which bytes of the present READ have come. */
  final Coverage coverage = new Coverage();

  /** Null while it is in the pool. */
  BlockRequest request;

  /** Who carries the end to the request's own thread; null if that is the channel's. */
  private RemoteRequest remote;

  /** Whether the server has been told, or is being told, and has not answered to the end. */
  boolean onWire;

  /** Number of the message that its command is in. */
  int message;

  /** Link of the queue of those that wait to be sent. */
  Flight next;

  /** How often commands have been made: the upper half of its cookies. */
  private int generation;

  /** The present command. */
  int command;

  long partOffset;
  long partLength;

  /** Bytes of the request that earlier commands have dealt with. */
  long done;

  private long offset;
  private long length;

  /** The last command is a flush, because the server does not know FUA. */
  private boolean flushing;

  /** The first error that the server has told of the present command; an errno, or 0. */
  int error;

  Flight(Channel channel, int index, MemorySegment head) {
    this.channel = channel;
    this.index = index;
    this.head = head;
  }

  /** Memory for the header of its commands. May wait, on a virtual thread. */
  static MemorySegment newHead() {
    return Arena.ofAuto().allocate(RequestHeader.EXTENDED_BYTES, 8);
  }

  void start(BlockRequest wanted, long from, long bytes, RemoteRequest whoWaits) {
    request = wanted;
    remote = whoWaits;
    offset = from;
    length = bytes;
    done = 0;
    flushing = false;
    onWire = false;
  }

  /** What the next answer has to bring. */
  long cookie() {
    return (long) generation << 32 | index;
  }

  boolean isRead() {
    return command == Command.READ;
  }

  /**
   * Makes the next command, and puts it at the end of what is to be sent.
   *
   * @param vector has room for {@link #ranges} more
   */
  void write(ExportTerms terms, RequestHeader header, IoVector vector) {
    plan(terms);
    generation++;
    error = 0;
    coverage.clear();
    if (request instanceof StatusQuery query) {
      // A lost connection may have told it already, without the end of the reply.
      query.extentLength = 0;
    }
    header.command = command;
    header.flags = flags(terms);
    header.cookie = cookie();
    header.offset = partOffset;
    header.length = partLength;
    header.write(head, 0, terms.style());
    vector.add(head, 0, terms.style().requestBytes());
    if (command == Command.WRITE) {
      addPayload(vector);
    }
  }

  private void addPayload(IoVector vector) {
    if (request.operation == BlockRequest.Operation.WRITE) {
      vector.addAll(request.buffers, done, partLength);
      return;
    }
    for (long left = partLength; left > 0; left -= ZEROES.byteSize()) {
      vector.add(ZEROES, 0, Math.min(left, ZEROES.byteSize()));
    }
  }

  /** Ranges that its next command may add to what is sent. */
  int ranges() {
    return switch (request.operation) {
      case WRITE -> 1 + Math.min(request.buffers.count(), MOST_RANGES);
      case WRITE_ZEROES -> 1 + (int) (LONGEST_ZEROES / ZEROES.byteSize());
      default -> 1;
    };
  }

  private void plan(ExportTerms terms) {
    partOffset = offset + done;
    partLength = length - done;
    if (flushing) {
      command = Command.FLUSH;
    } else if (request instanceof StatusQuery) {
      command = Command.BLOCK_STATUS;
    } else {
      command = command(terms);
    }
    long most = terms.style() == HeaderStyle.EXTENDED ? Long.MAX_VALUE : LONGEST_COMPACT;
    switch (command) {
      case Command.READ -> most = terms.sizes().maximumPayload();
      case Command.WRITE ->
          most =
              request.operation == BlockRequest.Operation.WRITE
                  ? terms.sizes().maximumPayload()
                  : Math.min(LONGEST_ZEROES, terms.sizes().maximumPayload());
      case Command.FLUSH -> {
        partOffset = 0;
        partLength = 0;
      }
      default -> {}
    }
    partLength = Math.min(partLength, most);
    if (command == Command.WRITE && request.operation == BlockRequest.Operation.WRITE) {
      long sendable = Ranges.bytes(request.buffers, done, partLength, MOST_RANGES);
      partLength = sendable == partLength ? sendable : sendable & -terms.sizes().minimum();
    }
  }

  private int command(ExportTerms terms) {
    return switch (request.operation) {
      case READ ->
          request.onlyFetch && terms.has(TransmissionFlags.SEND_CACHE)
              ? Command.CACHE
              : Command.READ;
      case WRITE -> Command.WRITE;
      case FLUSH -> Command.FLUSH;
      case DISCARD -> Command.TRIM;
      case WRITE_ZEROES ->
          terms.has(TransmissionFlags.SEND_WRITE_ZEROES) ? Command.WRITE_ZEROES : Command.WRITE;
    };
  }

  private int flags(ExportTerms terms) {
    int flags = 0;
    boolean writes = command == Command.WRITE || command == Command.WRITE_ZEROES;
    if (writes && request.forceUnitAccess && terms.has(TransmissionFlags.SEND_FUA)) {
      flags |= channel.options().noFlush() ? 0 : CommandFlags.FUA;
    }
    if (command == Command.WRITE_ZEROES && !(request.mayUnmap && channel.options().unmap())) {
      flags |= CommandFlags.NO_HOLE;
    }
    if (command == Command.WRITE_ZEROES && request.mustBeFast) {
      flags |= CommandFlags.FAST_ZERO;
    }
    if (command == Command.BLOCK_STATUS) {
      flags |= CommandFlags.REQ_ONE;
    }
    if (command == Command.WRITE && terms.style() == HeaderStyle.EXTENDED) {
      flags |= CommandFlags.PAYLOAD_LEN;
    }
    return flags;
  }

  /** Puts zeroes where the server says that there are. */
  void fillHole(long at, long bytes) {
    request.buffers.fill(position(at), bytes, (byte) 0);
  }

  /** Where an offset in the export is in the request's buffers. */
  long position(long at) {
    return done + at - partOffset;
  }

  /** Notes an error of {@link NbdError}; the first one counts. */
  void failed(int nbdError) {
    if (error == 0) {
      error = NbdError.toErrno(nbdError);
    }
  }

  /** The server has answered to the end. */
  void answered() {
    onWire = false;
    if (error != 0) {
      end(-error);
      return;
    }
    done += partLength;
    if (flushing || request instanceof StatusQuery || done >= length) {
      if (mustFlush()) {
        flushing = true;
        channel.enqueue(this);
      } else {
        end(0);
      }
    } else {
      channel.enqueue(this);
    }
  }

  private boolean mustFlush() {
    boolean writes =
        request.operation == BlockRequest.Operation.WRITE
            || request.operation == BlockRequest.Operation.WRITE_ZEROES;
    return !flushing
        && writes
        && request.forceUnitAccess
        && !channel.options().noFlush()
        && !channel.terms().has(TransmissionFlags.SEND_FUA)
        && channel.terms().has(TransmissionFlags.SEND_FLUSH);
  }

  /** It is over, one way or the other. */
  void end(int result) {
    BlockRequest ended = request;
    RemoteRequest whoWaits = remote;
    request = null;
    remote = null;
    onWire = false;
    channel.putBack(this);
    if (whoWaits == null) {
      ended.complete(result);
    } else {
      whoWaits.ended(result);
    }
  }

  /** Ends it as everything ends when there is no server. */
  void giveUp() {
    end(-Errno.EIO);
  }
}
