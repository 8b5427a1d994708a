// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.NbdStream;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.block.nbd.ReplyHeader;
import dev.spindle.block.nbd.Wire;
import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Takes a server's replies apart. Headers come into a buffer of its own, often many at a time; data
 * that has not come along with its header is received right where the request wants it. Trusts
 * nothing that a server says. Allocates nothing but the words of a complaint.
 */
final class Intake {
  private static final int BUFFER_BYTES = 64 << 10;

  /** Room for a header when data is expected: data that come along with it are copied. */
  private static final int HEADER_ROOM = 64;

  /** From so many bytes in a read on, it pays to receive its header apart. */
  private static final int LARGE_READ = 16 << 10;

  private static final int OFFSET_BYTES = 8;
  private static final int HOLE_BYTES = 12;
  private static final int ERROR_BYTES = 6;

  private final Channel channel;
  private final ReplyHeader header = new ReplyHeader();
  private final MemorySegment buffer = Arena.ofAuto().allocate(BUFFER_BYTES, 4096);
  private final IoVector message = new IoVector(IoVector.MAX_CAPACITY);

  /** What in the buffer has not been looked at. */
  private int start;

  private int end;

  /** Whose data are being received; null between pieces. */
  private Flight receiver;

  private long dataAt;
  private long dataLeft;

  /** Whether the request is answered with these data. */
  private boolean dataAreLast;

  /** Bytes that the receive under way puts into the request's buffers, before all others. */
  private long direct;

  Intake(Channel channel) {
    this.channel = channel;
  }

  /** Begins anew, with another connection. */
  void reset() {
    start = 0;
    end = 0;
    receiver = null;
    dataLeft = 0;
  }

  /** Whether there is less of a reply than all. */
  boolean isAmid() {
    return receiver != null || start < end;
  }

  /** Receives some more. */
  void receive(NbdStream stream) {
    if (start > 0) {
      MemorySegment.copy(buffer, start, buffer, 0, end - start);
      end -= start;
      start = 0;
    }
    message.clear();
    direct = 0;
    if (receiver != null) {
      IoVector target = receiver.request.buffers;
      long position = receiver.position(dataAt);
      direct = Ranges.bytes(target, position, dataLeft, message.capacity() - 1);
      message.addAll(target, position, direct);
    }
    if (direct == dataLeft) {
      boolean apart = channel.averageRead() >= LARGE_READ;
      message.add(buffer, end, Math.min(apart ? HEADER_ROOM : BUFFER_BYTES, BUFFER_BYTES - end));
    }
    stream.receive(message);
  }

  /**
   * Bytes have come, as {@link #receive} has asked.
   *
   * @return what is wrong with them, or null
   */
  String received(int bytes) {
    long placed = Math.min(direct, bytes);
    end += bytes - (int) placed;
    if (placed > 0) {
      advance(placed);
    }
    String wrong = null;
    boolean more = true;
    while (more && wrong == null) {
      if (receiver != null) {
        more = copyData();
      } else {
        int before = start;
        wrong = readPiece();
        more = start > before;
      }
    }
    return wrong;
  }

  private void advance(long bytes) {
    dataAt += bytes;
    dataLeft -= bytes;
    if (dataLeft == 0) {
      Flight flight = receiver;
      receiver = null;
      if (dataAreLast) {
        channel.answered(flight);
      }
    }
  }

  /** Returns whether there may be more to do. */
  private boolean copyData() {
    long bytes = Math.min(dataLeft, end - start);
    if (bytes == 0) {
      return false;
    }
    receiver.request.buffers.copyFrom(receiver.position(dataAt), buffer, start, bytes);
    start += (int) bytes;
    advance(bytes);
    return true;
  }

  /** Reads the head of a piece, if all of it is there; returns what is wrong with it. */
  private String readPiece() {
    if (end - start < ReplyHeader.SIMPLE_BYTES) {
      return null;
    }
    HeaderStyle style = ReplyHeader.styleOf(buffer, start);
    HeaderStyle agreed = channel.terms().style();
    boolean simpleInstead = style == HeaderStyle.SIMPLE && agreed == HeaderStyle.STRUCTURED;
    if (style != agreed && !simpleInstead) {
      return "it sends something that is no reply";
    }
    if (end - start < style.replyBytes()) {
      return null;
    }
    header.read(buffer, start, style);
    Flight flight = channel.flight(header.cookie);
    if (flight == null) {
      return "it replies to a request that was never made";
    }
    return style == HeaderStyle.SIMPLE ? simple(flight, agreed) : chunk(flight);
  }

  private String simple(Flight flight, HeaderStyle agreed) {
    start += ReplyHeader.SIMPLE_BYTES;
    if (header.error != 0) {
      flight.failed(header.error);
      channel.answered(flight);
      return null;
    }
    if (flight.command == Command.BLOCK_STATUS
        || (flight.isRead() && agreed != HeaderStyle.SIMPLE)) {
      return "it sends a simple reply where there must be a structured one";
    }
    if (flight.isRead()) {
      expectData(flight, flight.partOffset, flight.partLength, true);
    } else {
      channel.answered(flight);
    }
    return null;
  }

  private void expectData(Flight flight, long at, long bytes, boolean last) {
    receiver = flight;
    dataAt = at;
    dataLeft = bytes;
    dataAreLast = last;
  }

  private String chunk(Flight flight) {
    long length = header.length;
    int type = header.type;
    boolean data = type == ReplyChunk.OFFSET_DATA;
    if (length < 0 || (!data && length > BUFFER_BYTES - header.style.replyBytes())) {
      return "it sends a piece of type %d with %s bytes"
          .formatted(type, Long.toUnsignedString(length));
    }
    int body = data ? OFFSET_BYTES : (int) length;
    if (data && length <= OFFSET_BYTES) {
      return "it sends data without data";
    }
    int bodyAt = start + header.style.replyBytes();
    if (end - bodyAt < body) {
      return null;
    }
    start = bodyAt + body;
    boolean last = (header.flags & ReplyChunk.DONE) != 0;
    if (data) {
      return data(flight, buffer.get(Wire.LONG, bodyAt), length - OFFSET_BYTES, last);
    }
    String wrong = body(flight, bodyAt, body);
    return wrong == null && last ? finish(flight) : wrong;
  }

  private String data(Flight flight, long at, long length, boolean last) {
    String wrong = cover(flight, at, length);
    if (wrong != null) {
      return wrong;
    }
    if (last && flight.error == 0 && !isCovered(flight)) {
      return incomplete();
    }
    expectData(flight, at, length, last);
    return null;
  }

  private static String cover(Flight flight, long at, long length) {
    boolean inside =
        flight.isRead()
            && length <= flight.partLength
            && at >= flight.partOffset
            && at - flight.partOffset <= flight.partLength - length;
    if (!inside) {
      return "it sends data that nobody asked for";
    }
    return flight.coverage.add(at, at + length) ? null : "it sends the same data twice";
  }

  private String body(Flight flight, int at, int length) {
    int type = header.type;
    if (ReplyChunk.isError(type)) {
      return error(flight, at, length);
    }
    return switch (type) {
      case ReplyChunk.NONE ->
          length == 0 && (header.flags & ReplyChunk.DONE) != 0 ? null : malformed();
      case ReplyChunk.OFFSET_HOLE -> hole(flight, at, length);
      case ReplyChunk.BLOCK_STATUS, ReplyChunk.BLOCK_STATUS_EXT -> status(flight, at, length);
      default -> malformed();
    };
  }

  private String error(Flight flight, int at, int length) {
    if (length < ERROR_BYTES
        || Short.toUnsignedInt(buffer.get(Wire.SHORT, at + 4)) > length - ERROR_BYTES) {
      return malformed();
    }
    int error = buffer.get(Wire.INT, at);
    if (error == 0) {
      return "it sends an error that is none";
    }
    flight.failed(error);
    return null;
  }

  private String hole(Flight flight, int at, int length) {
    if (length != HOLE_BYTES) {
      return malformed();
    }
    long offset = buffer.get(Wire.LONG, at);
    long bytes = Integer.toUnsignedLong(buffer.get(Wire.INT, at + 8));
    if (bytes == 0) {
      return malformed();
    }
    String wrong = cover(flight, offset, bytes);
    if (wrong == null) {
      flight.fillHole(offset, bytes);
    }
    return wrong;
  }

  private String status(Flight flight, int at, int length) {
    boolean wide = header.type == ReplyChunk.BLOCK_STATUS_EXT;
    int first = at + (wide ? 8 : 4);
    int extent = wide ? 16 : 8;
    boolean fits =
        flight.command == Command.BLOCK_STATUS
            && wide == (header.style == HeaderStyle.EXTENDED)
            && length >= first - at + extent
            && (length - (first - at)) % extent == 0;
    if (!fits) {
      return malformed();
    }
    if (Integer.toUnsignedLong(buffer.get(Wire.INT, at)) != channel.terms().context()) {
      return "it tells the status in a metadata context that was not chosen";
    }
    StatusQuery query = (StatusQuery) flight.request;
    long bytes =
        wide ? buffer.get(Wire.LONG, first) : Integer.toUnsignedLong(buffer.get(Wire.INT, first));
    if (bytes <= 0 || query.extentLength != 0) {
      return malformed();
    }
    query.extentLength = Math.min(bytes, flight.partLength);
    query.extentFlags =
        wide
            ? buffer.get(Wire.LONG, first + 8)
            : Integer.toUnsignedLong(buffer.get(Wire.INT, first + 4));
    return null;
  }

  private String finish(Flight flight) {
    if (flight.error == 0 && !isComplete(flight)) {
      return incomplete();
    }
    channel.answered(flight);
    return null;
  }

  private static boolean isComplete(Flight flight) {
    return switch (flight.command) {
      case Command.READ -> isCovered(flight);
      case Command.BLOCK_STATUS -> ((StatusQuery) flight.request).extentLength > 0;
      default -> true;
    };
  }

  private static boolean isCovered(Flight flight) {
    return flight.coverage.isWhole(flight.partOffset, flight.partOffset + flight.partLength);
  }

  private static String incomplete() {
    return "it ends a reply before all has been said";
  }

  private String malformed() {
    return "it sends a malformed piece of type %d with %d bytes"
        .formatted(header.type, header.length);
  }
}
