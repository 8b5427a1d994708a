// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import dev.spindle.block.graph.BlockException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * Which granules of a disk are dirty: one bit for each {@link #granularity} bytes, with levels
 * above that make searching fast where little is dirty (QEMU's HBitmap). Offsets and lengths are in
 * bytes. It takes size / granularity / 8 bytes of memory, and less than a sixty-third more.
 *
 * <p><b>Threads.</b> {@link #set} may be called by any thread at any time, takes no lock and
 * allocates nothing. Everything else belongs to one party at a time: the control side, or the job
 * that holds the bitmap. That party finds whatever was set by a call that had returned before its
 * own call began; what is set while it searches, it may find or not.
 */
public final class HierarchicalBitmap {
  /** Bytes for one bit, at most. */
  public static final long MOST_GRANULARITY = 1L << 31;

  /** Of the memory that the JVM may use, what one bitmap gets at most. */
  private static final int MOST_SHARE_OF_MEMORY = 4;

  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final long size;
  private final int shift;
  private final BitTree bits;

  /**
   * Makes a clean bitmap.
   *
   * @param size of the disk in bytes, from 0 to 2^63 - 1
   * @param granularity bytes for one bit: a power of two from 1 to 2 GiB
   * @throws BlockException if it would take a quarter of the memory that there is, or more
   */
  public HierarchicalBitmap(long size, long granularity) throws BlockException {
    if (size < 0 || Long.bitCount(granularity) != 1 || granularity > MOST_GRANULARITY) {
      throw new IllegalArgumentException("size " + size + ", granularity " + granularity);
    }
    this.size = size;
    this.shift = Long.numberOfTrailingZeros(granularity);
    this.bits = allocate(size, shift);
  }

  private static BitTree allocate(long size, int shift) throws BlockException {
    long granules = (size >>> shift) + ((size & (1L << shift) - 1) == 0 ? 0 : 1);
    long words = BitTree.words(granules);
    long most = Runtime.getRuntime().maxMemory() / MOST_SHARE_OF_MEMORY / Long.BYTES;
    if (words > Math.min(most, BitTree.MOST_WORDS)) {
      throw tooLarge(size, shift, words);
    }
    try {
      return new BitTree(granules);
    } catch (OutOfMemoryError e) {
      // Others hold the rest of the memory. An array that was not made leaves nothing behind.
      throw tooLarge(size, shift, words);
    }
  }

  private static BlockException tooLarge(long size, int shift, long words) {
    return new BlockException(
        "A bitmap of "
            + size
            + " bytes with a granularity of "
            + (1L << shift)
            + " needs "
            + (words >>> 17)
            + " MiB of memory, which is too much; a larger granularity needs less");
  }

  /** Of the disk, in bytes. */
  public long size() {
    return size;
  }

  /** Bytes for one bit. */
  public long granularity() {
    return 1L << shift;
  }

  /**
   * Marks every granule that the range touches; what lies past the end of the bitmap is left out.
   * Any thread.
   */
  public void set(long offset, long bytes) {
    if (offset < 0 || bytes < 0) {
      throw new IllegalArgumentException("offset " + offset + ", " + bytes + " bytes");
    }
    if (bytes == 0 || offset >= size) {
      return;
    }
    long last = bytes > size - offset ? size - 1 : offset + bytes - 1;
    bits.set(offset >>> shift, last >>> shift);
  }

  /**
   * Makes a range clean. It begins at a granule's beginning and ends at one's end or at the end of
   * the bitmap: part of a granule cannot be clean.
   */
  public void reset(long offset, long bytes) {
    checkRange(offset, bytes);
    long end = offset + bytes;
    if (!isGranuleStart(offset) || (!isGranuleStart(end) && end != size)) {
      throw new IllegalArgumentException(
          "offset " + offset + ", " + bytes + " bytes: no whole granules of " + granularity());
    }
    if (bytes > 0) {
      bits.clear(offset >>> shift, (end - 1) >>> shift);
    }
  }

  /** Makes everything clean. */
  public void clear() {
    reset(0, size);
  }

  /** Whether the granule around a byte is dirty. */
  public boolean get(long offset) {
    checkRange(offset, 1);
    return bits.get(offset >>> shift);
  }

  /** How many granules are dirty. Any thread; marks that are just being made may be missing. */
  public long dirtyGranules() {
    return bits.count();
  }

  /**
   * How many bytes are dirty; the last granule counts as far as the bitmap goes. Any thread; marks
   * that are just being made may be missing.
   */
  public long dirtyBytes() {
    long granules = bits.count();
    long last = bits.size() - 1;
    if (granules == 0 || !bits.get(last)) {
      // The mark of a single dirty granule may be counted and not be there yet.
      return Math.min(granules, size >>> shift) << shift;
    }
    return ((granules - 1) << shift) + (size - (last << shift));
  }

  /**
   * The first dirty byte.
   *
   * @param start where to begin
   * @param end where to stop looking; may lie past the bitmap's end
   * @return its offset, or -1
   */
  public long nextDirty(long start, long end) {
    long stop = checkSearch(start, end);
    if (start >= stop) {
      return -1;
    }
    long bit = bits.nextSet(start >>> shift);
    return bit >= 0 && bit << shift < stop ? Math.max(start, bit << shift) : -1;
  }

  /** The first clean byte from {@code start} on and before {@code end}, or -1. */
  public long nextClean(long start, long end) {
    long stop = checkSearch(start, end);
    if (start >= stop) {
      return -1;
    }
    long bit = bits.nextClear(start >>> shift, ((stop - 1) >>> shift) + 1);
    return bit >= 0 ? Math.max(start, bit << shift) : -1;
  }

  /**
   * The first run of dirty bytes from {@code start} on and before {@code end}.
   *
   * @param most bytes it may have, at least 1
   * @return the run, or null if there is none
   */
  public DirtyArea nextDirtyArea(long start, long end, long most) {
    if (most < 1) {
      throw new IllegalArgumentException("areas of " + most + " bytes");
    }
    long first = nextDirty(start, end);
    if (first < 0) {
      return null;
    }
    long stop = Math.min(end, size);
    if (most < stop - first) {
      stop = first + most;
    }
    long clean = nextClean(first, stop);
    return new DirtyArea(first, (clean < 0 ? stop : clean) - first);
  }

  /** All runs of dirty bytes from the beginning on, each of at most {@code most} bytes. */
  public Iterable<DirtyArea> dirtyAreas(long most) {
    return () ->
        new Iterator<>() {
          private DirtyArea next = nextDirtyArea(0, size, most);

          @Override
          public boolean hasNext() {
            return next != null;
          }

          @Override
          public DirtyArea next() {
            if (next == null) {
              throw new NoSuchElementException();
            }
            DirtyArea area = next;
            next = nextDirtyArea(area.end(), size, most);
            return area;
          }
        };
  }

  /**
   * Marks what is dirty in another bitmap, of any granularity and size; what lies past this one's
   * end is left out. The other one stays as it is; marks that it gets meanwhile may be left out.
   */
  public void merge(HierarchicalBitmap other) {
    if (other.shift != shift) {
      for (DirtyArea area : other.dirtyAreas(Long.MAX_VALUE)) {
        set(area.offset(), area.bytes());
      }
      return;
    }
    int words = (int) BitTree.words(bits.size());
    for (int i = other.bits.nextWord(0); i >= 0 && i < words; i = other.bits.nextWord(i + 1)) {
      bits.orWord(i, other.bits.word(i) & inside(i));
    }
  }

  /**
   * How ranges to be serialized are aligned, in bytes: 64 granules. Only a range that goes to the
   * end of the bitmap may end elsewhere.
   */
  public long serializationAlignment() {
    return 64L << shift;
  }

  /**
   * Bytes that a range takes when serialized: whole words of 64 bits.
   *
   * @param offset a multiple of {@link #serializationAlignment}
   * @param bytes likewise, or all that is left of the bitmap
   */
  public long serializedSize(long offset, long bytes) {
    checkSerialized(offset, bytes);
    return bytes == 0 ? 0 : (lastWord(offset, bytes) - (offset >>> shift >>> 6) + 1) * Long.BYTES;
  }

  /**
   * Writes a range as QEMU's migration and qcow2's bitmap directory have it: one bit for each
   * granule, the first in the lowest bit of the first byte; bits past the end are 0.
   *
   * @param offset see {@link #serializedSize}
   * @param bytes see {@link #serializedSize}
   * @param target gets {@link #serializedSize} bytes at its beginning
   */
  public void serialize(long offset, long bytes, MemorySegment target) {
    checkSerialized(offset, bytes);
    if (bytes == 0) {
      return;
    }
    int first = (int) (offset >>> shift >>> 6);
    int last = (int) lastWord(offset, bytes);
    for (int i = first; i <= last; i++) {
      target.set(WORD, (long) (i - first) * Long.BYTES, bits.word(i));
    }
  }

  /**
   * Replaces a range by what {@link #serialize} wrote; bits past the end are passed over. A mark
   * that is made meanwhile may be lost, so nobody makes any.
   *
   * @param offset see {@link #serializedSize}
   * @param bytes see {@link #serializedSize}
   * @param source holds {@link #serializedSize} bytes at its beginning
   */
  public void deserialize(long offset, long bytes, MemorySegment source) {
    checkSerialized(offset, bytes);
    source.asSlice(0, serializedSize(offset, bytes));
    reset(offset, bytes);
    if (bytes == 0) {
      return;
    }
    int first = (int) (offset >>> shift >>> 6);
    int last = (int) lastWord(offset, bytes);
    for (int i = first; i <= last; i++) {
      bits.orWord(i, source.get(WORD, (long) (i - first) * Long.BYTES) & inside(i));
    }
  }

  private long lastWord(long offset, long bytes) {
    return (offset + bytes - 1) >>> shift >>> 6;
  }

  /** The bits of a word that stand for something. */
  private long inside(int word) {
    long left = bits.size() - ((long) word << 6);
    return left >= 64 ? -1 : (1L << left) - 1;
  }

  private boolean isGranuleStart(long offset) {
    return (offset & (1L << shift) - 1) == 0;
  }

  private void checkRange(long offset, long bytes) {
    if (offset < 0 || bytes < 0 || bytes > size - offset) {
      throw new IllegalArgumentException(
          "offset " + offset + ", " + bytes + " bytes: outside a bitmap of " + size);
    }
  }

  /** Returns where to stop. */
  private long checkSearch(long start, long end) {
    if (start < 0 || end < 0) {
      throw new IllegalArgumentException("from " + start + " to " + end);
    }
    return Math.min(end, size);
  }

  private void checkSerialized(long offset, long bytes) {
    checkRange(offset, bytes);
    long end = offset + bytes;
    if (!isWordStart(offset) || (!isWordStart(end) && end != size)) {
      throw new IllegalArgumentException(
          "offset " + offset + ", " + bytes + " bytes: not aligned to 64 granules");
    }
  }

  private boolean isWordStart(long offset) {
    return (offset & (64L << shift) - 1) == 0;
  }
}
