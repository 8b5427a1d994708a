// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.NbdStream;
import dev.spindle.block.nbd.RequestHeader;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;

/**
 * Requests as they arrive: many headers, and short payloads, in one receive; the rest of a longer
 * payload straight into its block. What a client sends is not received faster than there is room
 * for. Allocates nothing, but for a pause after {@link #TAKEN_AT_ONCE} bytes. Owner thread of the
 * connection's context only.
 */
final class RequestIntake {
  private static final int INPUT_BYTES = 256 << 10;

  /** From this on a payload is worth receiving without a copy. */
  private static final int LONG_PAYLOAD = 32 << 10;

  /**
   * How much is taken before the backend gets to work on it. The first replies are on their way
   * while the next requests are taken, and data are sent before they have left the CPU's cache.
   */
  private static final long TAKEN_AT_ONCE = 512 << 10;

  /** What is received along with a long payload: the next header, most likely. */
  private static final int SHORT_INPUT = 1 << 10;

  private final NbdConnection connection;
  private final NbdStream stream;
  private final ClientTerms terms;
  private final RequestCheck check;
  private final PayloadMemory payloads;
  private final MemorySegment memory;
  private final RequestHeader header = new RequestHeader();
  private final IoVector buffers = new IoVector(2);
  private final int headerBytes;

  /** Where in the memory is what has arrived and not been looked at: from start to end. */
  private final long input;

  private long start;
  private long end;

  /** Bytes of a payload that nobody wants. */
  private long toSkip;

  /** Whose payload has not wholly arrived; null if there is none. */
  private NbdRequest filling;

  private long filled;

  /** How many bytes may be received besides a payload, so that long ones are not copied. */
  private long inputLimit = INPUT_BYTES;

  private boolean receiving;

  /** Whether a request waits for room. */
  private boolean starved;

  /** Bytes for which requests have been taken without a pause. */
  private long taken;

  /** Whether {@link #goOn} is in the context's queue. */
  private boolean pausing;

  private final Runnable goOn = this::goOn;

  RequestIntake(
      NbdConnection connection,
      NbdStream stream,
      ClientTerms terms,
      RequestCheck check,
      PayloadMemory payloads) {
    this.connection = connection;
    this.stream = stream;
    this.terms = terms;
    this.check = check;
    this.payloads = payloads;
    this.memory = payloads.segment();
    this.headerBytes = terms.style().requestBytes();
    this.input = payloads.take(INPUT_BYTES);
  }

  /** Looks at what has arrived, and receives more when there is room for it. */
  void run() {
    starved = false;
    taken = 0;
    while (mayTake() && takeOne()) {
      if (taken >= TAKEN_AT_ONCE && end > start) {
        pausing = true;
        connection.lane().context().execute(goOn);
      }
    }
    if (mayTake() && !starved && !receiving) {
      receive();
    }
  }

  private boolean mayTake() {
    return connection.isTaking() && !pausing;
  }

  private void goOn() {
    pausing = false;
    run();
    connection.paused();
  }

  /** Whether it goes on by itself soon, on the context on which it paused. */
  boolean isPausing() {
    return pausing;
  }

  /** Whether {@link #run} would get further when a request is over. */
  boolean isStarved() {
    return starved;
  }

  /** Takes a request, or drops what is to be dropped; false if there is nothing to go on with. */
  private boolean takeOne() {
    if (toSkip > 0) {
      long skipped = Math.min(toSkip, end - start);
      start += skipped;
      toSkip -= skipped;
      return toSkip == 0;
    }
    if (filling != null || end - start < headerBytes) {
      return false;
    }
    if (!header.read(memory, input + start, terms.style())) {
      connection.fail("a request without the magic number");
      return false;
    }
    long payload = check.payloadBytes(header);
    if (payload < 0 || payload > terms.sizes().maximumPayload()) {
      connection.fail(
          "a payload of " + Long.toUnsignedString(payload) + " bytes, more than the maximum");
      return false;
    }
    if (header.command == Command.DISC) {
      connection.leave();
      return false;
    }
    return take(payload);
  }

  private boolean take(long payload) {
    NbdRequest request = connection.newRequest();
    if (request == null) {
      starved = true;
      return false;
    }
    request.begin(header);
    Refusal refusal = check.check(header);
    long wanted = refusal == null ? wantedBytes(payload) : 0;
    if (wanted > 0) {
      request.block = payloads.take(wanted);
      if (request.block < 0) {
        connection.putBack(request);
        starved = true;
        return false;
      }
      request.blockBytes = wanted;
      taken += wanted;
    }
    start += headerBytes;
    if (refusal != null) {
      toSkip = payload;
      connection.refuse(request, refusal);
    } else if (payload > 0) {
      fill(request, payload);
    } else {
      connection.carryOut(request);
    }
    return true;
  }

  private long wantedBytes(long payload) {
    return switch (header.command) {
      case Command.READ, Command.CACHE -> header.length;
      case Command.WRITE -> payload;
      case Command.BLOCK_STATUS -> Math.max(payload, connection.statusReplyBytes());
      default -> 0;
    };
  }

  /** Puts into its block what has arrived of a payload. */
  private void fill(NbdRequest request, long payload) {
    inputLimit = payload >= LONG_PAYLOAD ? SHORT_INPUT : INPUT_BYTES;
    long there = Math.min(payload, end - start);
    MemorySegment.copy(memory, input + start, memory, request.block, there);
    start += there;
    if (there == payload) {
      connection.carryOut(request);
    } else {
      filling = request;
      filled = there;
    }
  }

  private void receive() {
    // What is left is less than a header, or nothing.
    if (start > 0) {
      MemorySegment.copy(memory, input + start, memory, input, end - start);
      end -= start;
      start = 0;
    }
    buffers.clear();
    if (filling != null) {
      buffers.add(memory, filling.block + filled, filling.requestLength - filled);
    }
    buffers.add(memory, input + end, Math.min(inputLimit, INPUT_BYTES - end));
    receiving = true;
    stream.receive(buffers);
  }

  /** A receive has ended. */
  void received(int result) {
    receiving = false;
    if (result == -Errno.ECANCELED) {
      return;
    }
    if (result <= 0) {
      connection.lost(result, filling != null || end > start);
      return;
    }
    long rest = result;
    if (filling != null) {
      long part = Math.min(rest, filling.requestLength - filled);
      filled += part;
      rest -= part;
      if (filled == filling.requestLength) {
        NbdRequest request = filling;
        filling = null;
        connection.carryOut(request);
      }
    }
    end += rest;
    run();
  }

  /** A connection that ends has no use for a payload that is not there. */
  void abandon() {
    if (filling != null) {
      connection.putBack(filling);
      filling = null;
    }
  }
}
