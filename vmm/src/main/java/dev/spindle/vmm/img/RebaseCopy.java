// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import dev.spindle.vmm.tool.ToolRequest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Gives an image what the one has that it backs onto, wherever the image holds nothing and the one
 * that it is going to back onto differs. Straight-line code.
 */
final class RebaseCopy {
  private static final long PIECE = 2 << 20;
  private static final long SECTOR = 512;

  /**
   * One of the two images below.
   *
   * @param image null for zeroes
   * @param word which of them, for errors
   */
  private record Base(ToolImage image, String word) {
    long length() {
      return image == null ? 0 : image.length();
    }

    /** Reads what there is; zeroes follow. */
    void read(long offset, MemorySegment target) throws ToolException {
      long inside = Math.clamp(length() - offset, 0, target.byteSize());
      target.asSlice(inside).fill((byte) 0);
      int status = inside == 0 ? 0 : image.read(offset, target.asSlice(0, inside));
      if (status < 0) {
        throw new ToolException("error while reading from %s backing file".formatted(word));
      }
    }
  }

  private final ToolImage image;
  private final Base before;
  private final Base after;

  /** How many layers are above {@link #after} in the chain of {@link #before}; -1 if it is not. */
  private final int layersBetween;

  private final Progress progress;

  /**
   * Makes one.
   *
   * @param before what it backs onto; null for zeroes
   * @param after what it is going to back onto; null for zeroes
   * @param layersBetween from {@code before} down to {@code after}, 0 if they are the same; -1 if
   *     it does not lead there
   */
  RebaseCopy(
      ToolImage image, ToolImage before, ToolImage after, int layersBetween, Progress progress) {
    this.image = image;
    this.before = new Base(before, "old");
    this.after = new Base(after, "new");
    this.layersBetween = layersBetween;
    this.progress = progress;
  }

  /** Does it. */
  void run() throws ToolException {
    long size = image.length();
    try (Arena arena = Arena.ofShared()) {
      MemorySegment old = arena.allocate(PIECE, 4096);
      MemorySegment next = arena.allocate(PIECE, 4096);
      for (long offset = 0; offset < size; ) {
        long length = image.lane().allocated(offset, Math.min(PIECE, size - offset));
        if (length < 0) {
          length = copy(offset, -length, old, next);
        }
        offset += length;
        progress.add(length);
      }
    }
    int status = image.flush();
    if (status < 0) {
      throw new ToolException("error while flushing: " + Errno.message(-status));
    }
  }

  /** Deals with the start of a range that the image does not hold; returns how much of it. */
  private long copy(long offset, long wanted, MemorySegment oldData, MemorySegment newData)
      throws ToolException {
    boolean pastEnd = offset >= before.length();
    long length = pastEnd ? wanted : Math.min(wanted, before.length() - offset);
    if (layersBetween >= 0 && !pastEnd) {
      BlockStatus status = before.image.status(offset, length);
      length = status.length();
      if (status.depth() > layersBetween) {
        // It is in the image that both lead to.
        return length;
      }
    }
    MemorySegment old = oldData.asSlice(0, length);
    MemorySegment next = newData.asSlice(0, length);
    before.read(offset, old);
    after.read(offset, next);
    for (long at = 0; at < length; ) {
      boolean differs = differs(old, next, at);
      long run = Math.min(SECTOR, length - at);
      while (at + run < length && differs(old, next, at + run) == differs) {
        run = Math.min(run + SECTOR, length - at);
      }
      if (differs) {
        write(offset + at, old.asSlice(at, run), pastEnd);
      }
      at += run;
    }
    return length;
  }

  private static boolean differs(MemorySegment one, MemorySegment other, long at) {
    long end = Math.min(at + SECTOR, one.byteSize());
    return MemorySegment.mismatch(one, at, end, other, at, end) >= 0;
  }

  private void write(long offset, MemorySegment data, boolean zeroes) throws ToolException {
    int status =
        zeroes
            ? new ToolRequest(1)
                .set(Operation.WRITE_ZEROES, offset, data.byteSize())
                .send(image.lane())
                .await()
            : image.write(offset, data);
    if (status < 0) {
      throw new ToolException("Error while writing to COW image: " + Errno.message(-status));
    }
  }
}
