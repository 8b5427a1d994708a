// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.CommandFlags;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.MetaContexts;
import dev.spindle.block.nbd.NbdError;
import dev.spindle.block.nbd.RequestHeader;
import dev.spindle.block.nbd.Wire;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a client's bytes ask for, and what an export that has two metadata contexts has to answer,
 * in the words of the protocol (doc/proto.md, "Transmission phase").
 */
final class TransmissionModel {
  /** Bytes that have one status; those after them have the other. */
  static final int STRETCH = 8192;

  private static final int LARGEST_PAYLOAD = 32 << 20;
  private static final int CONTEXTS = 2;

  private final HeaderStyle style;
  private final boolean readOnly;
  private final int block;

  /** What the export holds, in the end. */
  final byte[] disk;

  /** By cookie, oldest first. */
  private final Map<Long, Deque<Expected>> unanswered = new HashMap<>();

  /** Whether the client has said that it leaves, after all that it has asked. */
  boolean left;

  /**
   * What the answer to a request has to be.
   *
   * @param error 0, or an error of the protocol
   * @param data to be read; null if none are
   * @param contexts whose status is told; empty if that is not asked for
   */
  record Expected(
      long offset, long length, int error, byte[] data, List<Integer> contexts, boolean one) {
    private static Expected failure(long offset, int error) {
      return new Expected(offset, 0, error, null, List.of(), false);
    }

    /** The extents of a context: pairs of a length and a status. */
    List<Long> extents(int context) {
      List<Long> extents = new ArrayList<>();
      if (context != 0) {
        return List.of(length, 1L);
      }
      for (long at = offset; at < offset + length; ) {
        long end = Math.min(offset + length, at - at % STRETCH + STRETCH);
        boolean hole = at / STRETCH % 2 != 0;
        extents.add(end - at);
        extents.add(hole ? (long) MetaContexts.STATE_HOLE | MetaContexts.STATE_ZERO : 0L);
        at = end;
      }
      return one ? extents.subList(0, 2) : extents;
    }
  }

  TransmissionModel(HeaderStyle style, boolean readOnly, int block, byte[] disk) {
    this.style = style;
    this.readOnly = readOnly;
    this.block = block;
    this.disk = disk;
  }

  /** Does what the bytes ask for, as far as the export gets with them. */
  void run(byte[] bytes, int start) {
    MemorySegment source = MemorySegment.ofArray(bytes);
    RequestHeader header = new RequestHeader();
    int at = start;
    while (!left && bytes.length - at >= style.requestBytes()) {
      boolean sound = header.read(source, at, style);
      long payload = carries(header) ? header.length : 0;
      at += style.requestBytes();
      if (!sound || payload < 0 || payload > LARGEST_PAYLOAD) {
        return;
      }
      if (header.command == Command.DISC) {
        left = true;
        return;
      }
      // A request that is refused is answered before what comes along with it is dropped.
      Expected refusal = refusal(header);
      if (refusal == null && payload > bytes.length - at) {
        return;
      }
      Expected expected = refusal == null ? carryOut(header, source, at) : refusal;
      unanswered.computeIfAbsent(header.cookie, cookie -> new ArrayDeque<>()).add(expected);
      at += (int) Math.min(payload, bytes.length - at);
    }
  }

  private boolean carries(RequestHeader header) {
    return style == HeaderStyle.EXTENDED
        ? (header.flags & CommandFlags.PAYLOAD_LEN) != 0
        : header.command == Command.WRITE;
  }

  /** Why a request is not carried out, apart from what its payload says; null if it is. */
  private Expected refusal(RequestHeader header) {
    int error = (header.flags & ~flags(header.command)) != 0 ? NbdError.EINVAL : error(header);
    return error == 0 ? null : Expected.failure(header.offset, error);
  }

  private int flags(int command) {
    boolean extended = style == HeaderStyle.EXTENDED;
    int payload = extended ? CommandFlags.PAYLOAD_LEN : 0;
    return CommandFlags.FUA
        | switch (command) {
          case Command.READ -> CommandFlags.DF;
          case Command.WRITE -> payload;
          case Command.WRITE_ZEROES -> CommandFlags.NO_HOLE | CommandFlags.FAST_ZERO;
          case Command.BLOCK_STATUS -> CommandFlags.REQ_ONE | payload;
          default -> 0;
        };
  }

  private int error(RequestHeader header) {
    return switch (header.command) {
      case Command.READ, Command.CACHE -> rangeError(header.offset, header.length, NbdError.EINVAL);
      case Command.WRITE, Command.TRIM, Command.WRITE_ZEROES -> {
        if (header.command == Command.WRITE && !carries(header)) {
          yield NbdError.EINVAL;
        }
        yield readOnly ? NbdError.EPERM : rangeError(header.offset, header.length, NbdError.ENOSPC);
      }
      case Command.FLUSH -> 0;
      case Command.BLOCK_STATUS -> {
        if (style == HeaderStyle.SIMPLE) {
          yield NbdError.EINVAL;
        }
        if (carries(header)) {
          boolean list = header.length == 12 || header.length == 16;
          yield list ? 0 : NbdError.EINVAL;
        }
        yield header.length == 0
            ? NbdError.EINVAL
            : rangeError(header.offset, header.length, NbdError.EINVAL);
      }
      default -> NbdError.EINVAL;
    };
  }

  /** What is negative is larger than any export, on the wire. */
  private int rangeError(long offset, long length, int beyondEnd) {
    if (offset < 0 || length < 0 || length > disk.length || offset > disk.length - length) {
      return beyondEnd;
    }
    return offset % block != 0 || length % block != 0 ? NbdError.EINVAL : 0;
  }

  private Expected carryOut(RequestHeader header, MemorySegment source, int payloadAt) {
    int offset = (int) header.offset;
    int end = (int) (header.offset + header.length);
    byte[] read = null;
    switch (header.command) {
      case Command.READ -> {
        if (header.length > 0) {
          read = Arrays.copyOfRange(disk, offset, end);
        }
      }
      case Command.WRITE ->
          MemorySegment.copy(source, payloadAt, MemorySegment.ofArray(disk), offset, header.length);
      case Command.TRIM, Command.WRITE_ZEROES -> Arrays.fill(disk, offset, end, (byte) 0);
      case Command.BLOCK_STATUS -> {
        return status(header, source, payloadAt);
      }
      default -> {}
    }
    return new Expected(header.offset, header.length, 0, read, List.of(), false);
  }

  private Expected status(RequestHeader header, MemorySegment source, int payloadAt) {
    boolean one = (header.flags & CommandFlags.REQ_ONE) != 0;
    if (!carries(header)) {
      return new Expected(header.offset, header.length, 0, null, List.of(0, 1), one);
    }
    long length = source.get(Wire.LONG, payloadAt);
    List<Integer> chosen = new ArrayList<>();
    for (long at = 8; at < header.length; at += 4) {
      int context = source.get(Wire.INT, payloadAt + at);
      if (context < 0 || context >= CONTEXTS || chosen.contains(context)) {
        return Expected.failure(header.offset, NbdError.EINVAL);
      }
      chosen.add(context);
    }
    int error = length == 0 ? NbdError.EINVAL : rangeError(header.offset, length, NbdError.EINVAL);
    return error == 0
        ? new Expected(header.offset, length, 0, null, chosen, one)
        : Expected.failure(header.offset, error);
  }

  /**
   * What has been answered.
   *
   * @param status whether it is a status: only that may overtake others
   */
  Expected answered(long cookie, boolean status) {
    Deque<Expected> waiting = unanswered.getOrDefault(cookie, new ArrayDeque<>());
    for (Expected expected : waiting) {
      if (status == !expected.contexts.isEmpty()) {
        waiting.remove(expected);
        return expected;
      }
    }
    throw new AssertionError("an answer to a request that was not made, or is answered already");
  }

  /** Nothing more will be answered. */
  void end(boolean allHasBeenHeard) {
    long missing = unanswered.values().stream().mapToLong(Deque::size).sum();
    assertTrue(!left || !allHasBeenHeard || missing == 0, missing + " answers are missing");
  }
}
