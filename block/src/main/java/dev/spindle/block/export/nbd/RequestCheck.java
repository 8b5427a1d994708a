// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.CommandFlags;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.RequestHeader;
import dev.spindle.block.nbd.TransmissionFlags;

/**
 * Whether a client may ask for what it asks for, by what was agreed on. Allocates nothing. For one
 * client.
 */
final class RequestCheck {
  private static final int EXTENTS_PAYLOAD_HEAD = 8;

  private final ClientTerms terms;

  /** What the client takes for the export's size: the protocol has no word for another one. */
  private final long size;

  private final boolean extended;

  /** Where what the client may use ends: its own size's end, or the node's. */
  private long end;

  RequestCheck(ClientTerms terms, long size) {
    this.terms = terms;
    this.size = size;
    this.end = size;
    this.extended = terms.style() == HeaderStyle.EXTENDED;
  }

  /** The node has that length now; a client sees no more of it than there was when it came. */
  void setLength(long length) {
    end = Math.min(size, length);
  }

  /** Why a request has failed, if it is for a node that has become shorter meanwhile; else null. */
  Refusal cutOff(NbdRequest request) {
    if (request.command == Command.FLUSH
        || isInside(request.requestOffset, request.requestLength)) {
      return null;
    }
    return request.command == Command.READ || request.command == Command.CACHE
        ? Refusal.READ_BEYOND_END
        : Refusal.WRITE_BEYOND_END;
  }

  /** How many bytes follow a header, whatever becomes of the request; unsigned. */
  long payloadBytes(RequestHeader header) {
    boolean carries =
        extended ? (header.flags & CommandFlags.PAYLOAD_LEN) != 0 : header.command == Command.WRITE;
    return carries ? header.length : 0;
  }

  /** Why a request is not carried out, or null if it is. */
  Refusal check(RequestHeader header) {
    if ((header.flags & ~allowedFlags(header.command)) != 0) {
      return (header.flags & CommandFlags.PAYLOAD_LEN) != 0 && extended
          ? Refusal.UNEXPECTED_PAYLOAD
          : Refusal.FLAGS;
    }
    return switch (header.command) {
      case Command.READ, Command.CACHE -> checkRead(header);
      case Command.WRITE -> {
        boolean carries = !extended || (header.flags & CommandFlags.PAYLOAD_LEN) != 0;
        yield carries ? checkChange(header) : Refusal.NO_PAYLOAD;
      }
      case Command.TRIM, Command.WRITE_ZEROES -> checkChange(header);
      case Command.FLUSH -> null;
      case Command.BLOCK_STATUS -> checkStatus(header);
      default -> Refusal.UNKNOWN_COMMAND;
    };
  }

  private int allowedFlags(int command) {
    int always = CommandFlags.FUA;
    return switch (command) {
      case Command.READ -> terms.has(TransmissionFlags.SEND_DF) ? always | CommandFlags.DF : always;
      case Command.WRITE -> extended ? always | CommandFlags.PAYLOAD_LEN : always;
      case Command.WRITE_ZEROES -> always | CommandFlags.NO_HOLE | CommandFlags.FAST_ZERO;
      case Command.BLOCK_STATUS -> {
        int flags = always | CommandFlags.REQ_ONE;
        yield terms.has(TransmissionFlags.BLOCK_STATUS_PAYLOAD)
            ? flags | CommandFlags.PAYLOAD_LEN
            : flags;
      }
      default -> always;
    };
  }

  private Refusal checkRead(RequestHeader header) {
    if (!isInside(header.offset, header.length)) {
      return Refusal.READ_BEYOND_END;
    }
    if (header.length > terms.sizes().maximumPayload()) {
      return terms.style() == HeaderStyle.SIMPLE ? Refusal.TOO_LONG : Refusal.TOO_LONG_TO_SPLIT;
    }
    return checkAlignment(header);
  }

  private Refusal checkChange(RequestHeader header) {
    if (terms.has(TransmissionFlags.READ_ONLY)) {
      return Refusal.READ_ONLY;
    }
    return isInside(header.offset, header.length)
        ? checkAlignment(header)
        : Refusal.WRITE_BEYOND_END;
  }

  private Refusal checkStatus(RequestHeader header) {
    if (terms.contexts().isEmpty()) {
      return Refusal.NO_CONTEXT;
    }
    if ((header.flags & CommandFlags.PAYLOAD_LEN) == 0) {
      return checkStatusRange(header.offset, header.length);
    }
    long list = header.length - EXTENTS_PAYLOAD_HEAD;
    boolean fits =
        list > 0 && list % Integer.BYTES == 0 && list / Integer.BYTES <= terms.contexts().size();
    return fits ? null : Refusal.WRONG_CONTEXTS;
  }

  /** Why the status of a range cannot be told, or null if it can. */
  Refusal checkStatusRange(long offset, long length) {
    if (length == 0 || !isInside(offset, length)) {
      return Refusal.READ_BEYOND_END;
    }
    return isAligned(offset | length) ? null : Refusal.UNALIGNED;
  }

  private Refusal checkAlignment(RequestHeader header) {
    return isAligned(header.offset | header.length) ? null : Refusal.UNALIGNED;
  }

  private boolean isAligned(long bits) {
    return (bits & (terms.sizes().minimum() - 1)) == 0;
  }

  /** Both are unsigned on the wire: what is negative here is beyond every end. */
  private boolean isInside(long offset, long length) {
    return offset >= 0 && length >= 0 && length <= end && offset <= end - length;
  }
}
