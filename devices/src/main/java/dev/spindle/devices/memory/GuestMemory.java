// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.memory;

import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.MemFd;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The guest's RAM: one shared memfd, mapped once, seen by device code as one bounds-checked
 * segment.
 *
 * <p>In guest-physical addresses RAM lies below a hole at 3 GiB..4 GiB (where PCI and the interrupt
 * controllers live) and, what does not fit there, from 4 GiB upwards. In the file and in the
 * segment the two regions follow each other without a gap: an <em>offset</em> is a position there,
 * an <em>address</em> is the guest's.
 *
 * <p>All methods may be called from any thread. Plain accessors give no ordering: whoever shares a
 * word with the guest uses VarHandles on {@link #segment()}.
 */
public final class GuestMemory implements DeviceMemory, AutoCloseable {
  /** First address of the hole below 4 GiB, and so the most RAM that fits below it. */
  public static final long HOLE_START = 3L << 30;

  /** First address after the hole. */
  public static final long HOLE_END = 4L << 30;

  /** Sizes are multiples of this, in bytes. */
  public static final long PAGE_SIZE = 4096;

  private static final long HUGE_PAGE_SIZE = 2L << 20;

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** What backs guest memory. */
  public enum Pages {
    /** Ordinary pages. */
    NORMAL,
    /** Ordinary pages which the kernel is asked to merge into huge ones where it can. */
    TRANSPARENT_HUGE,
    /** 2 MiB pages from the kernel's reserved pool; refused if the pool is too small. */
    HUGE_2M
  }

  /**
   * A contiguous piece of RAM, as KVM's memory slots and vhost-user's memory table want it.
   *
   * @param address first guest-physical address
   * @param size bytes
   * @param offset where it starts in {@link #segment()} and in {@link #file()}
   */
  public record Region(long address, long size, long offset) {}

  private final MemFd file;
  private final Mapping mapping;
  private final MemorySegment segment;
  private final long lowSize;
  private final long highSize;
  private final List<Region> regions;

  private GuestMemory(MemFd file, Mapping mapping) {
    this.file = file;
    this.mapping = mapping;
    this.segment = mapping.segment();
    this.lowSize = Math.min(file.size(), HOLE_START);
    this.highSize = file.size() - lowSize;
    Region low = new Region(0, lowSize, 0);
    this.regions =
        highSize == 0 ? List.of(low) : List.of(low, new Region(HOLE_END, highSize, lowSize));
  }

  /** Makes zeroed memory of ordinary pages; see {@link #allocate(long, Pages)}. */
  public static GuestMemory allocate(long size) throws IOException {
    return allocate(size, Pages.NORMAL);
  }

  /**
   * Makes zeroed guest memory. Pages are taken from the host when first touched.
   *
   * @param size bytes, a positive multiple of 4 KiB (2 MiB for reserved huge pages)
   * @throws IOException with a sentence for the user if that size is impossible here
   */
  public static GuestMemory allocate(long size, Pages pages) throws IOException {
    long unit = pages == Pages.HUGE_2M ? HUGE_PAGE_SIZE : PAGE_SIZE;
    if (size <= 0 || size % unit != 0) {
      throw new IOException(
          "guest memory of "
              + size
              + " bytes is impossible: it must be a positive multiple of "
              + unit
              + " bytes");
    }
    MemFd file = null;
    try {
      file = MemFd.create("guest-memory", size, memFdPages(pages));
      Mapping mapping = file.map();
      if (pages == Pages.TRANSPARENT_HUGE) {
        mapping.advise(Mapping.Advice.HUGE_PAGES);
      }
      return new GuestMemory(file, mapping);
    } catch (LinuxException e) {
      if (file != null) {
        file.close();
      }
      throw refusal(size, pages, e);
    }
  }

  private static MemFd.Pages memFdPages(Pages pages) {
    return pages == Pages.HUGE_2M ? MemFd.Pages.HUGE_2M : MemFd.Pages.NORMAL;
  }

  private static IOException refusal(long size, Pages pages, LinuxException cause) {
    String what = "guest memory of " + size + " bytes cannot be had from this host";
    if (pages == Pages.HUGE_2M && cause.errno() == Errno.ENOMEM) {
      what +=
          " in huge pages: "
              + size / HUGE_PAGE_SIZE
              + " pages of 2 MiB must be free in /proc/sys/vm/nr_hugepages";
    }
    return new IOException(what + " (" + cause.getMessage() + ")", cause);
  }

  /**
   * Takes all of it from the host now and keeps it out of swap until {@link #close}.
   *
   * @throws IOException with a sentence for the user if the host does not allow that
   */
  public void lock() throws IOException {
    try {
      mapping.lock();
    } catch (LinuxException e) {
      throw new IOException(
          "guest memory of "
              + size()
              + " bytes cannot be locked: RLIMIT_MEMLOCK (ulimit -l) must allow it and the host"
              + " have it ("
              + e.getMessage()
              + ")",
          e);
    }
  }

  /** All RAM, in bytes. */
  public long size() {
    return lowSize + highSize;
  }

  /** RAM below the hole, in bytes. */
  public long lowSize() {
    return lowSize;
  }

  /** RAM from 4 GiB upwards, in bytes; 0 if everything fits below the hole. */
  public long highSize() {
    return highSize;
  }

  @Override
  public MemorySegment segment() {
    return segment;
  }

  /** The file behind the memory, for those who map it themselves (vhost-user). */
  public Fd file() {
    return file.fd();
  }

  /** The contiguous pieces, in rising order of address. */
  public List<Region> regions() {
    return regions;
  }

  @Override
  public long offsetOf(long address, long length) {
    if (address >= 0 && length >= 0) {
      // Written as differences: sums could overflow.
      if (length <= lowSize - address) {
        return address;
      }
      if (address >= HOLE_END && length <= highSize - (address - HOLE_END)) {
        return lowSize + (address - HOLE_END);
      }
    }
    return -1;
  }

  /** Whether the whole range is RAM of one region; never throws. */
  public boolean contains(long address, long length) {
    return offsetOf(address, length) >= 0;
  }

  /** A view of a guest-physical range that lies inside one region. */
  public MemorySegment slice(long address, long length) {
    return segment.asSlice(checkedOffset(address, length), length);
  }

  /** Reads a byte, zero-extended. */
  public int readByte(long address) {
    return Byte.toUnsignedInt(segment.get(ValueLayout.JAVA_BYTE, checkedOffset(address, 1)));
  }

  /** Reads a little-endian 16-bit word, zero-extended; any alignment. */
  public int readShort(long address) {
    return Short.toUnsignedInt(segment.get(SHORT, checkedOffset(address, Short.BYTES)));
  }

  /** Reads a little-endian 32-bit word; any alignment. */
  public int readInt(long address) {
    return segment.get(INT, checkedOffset(address, Integer.BYTES));
  }

  /** Reads a little-endian 64-bit word; any alignment. */
  public long readLong(long address) {
    return segment.get(LONG, checkedOffset(address, Long.BYTES));
  }

  /** Fills {@code target} from guest memory. */
  public void read(long address, byte[] target) {
    long offset = checkedOffset(address, target.length);
    MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, offset, target, 0, target.length);
  }

  /** Writes the low 8 bits of {@code value}. */
  public void writeByte(long address, int value) {
    segment.set(ValueLayout.JAVA_BYTE, checkedOffset(address, 1), (byte) value);
  }

  /** Writes the low 16 bits of {@code value}, little-endian; any alignment. */
  public void writeShort(long address, int value) {
    segment.set(SHORT, checkedOffset(address, Short.BYTES), (short) value);
  }

  /** Writes a little-endian 32-bit word; any alignment. */
  public void writeInt(long address, int value) {
    segment.set(INT, checkedOffset(address, Integer.BYTES), value);
  }

  /** Writes a little-endian 64-bit word; any alignment. */
  public void writeLong(long address, long value) {
    segment.set(LONG, checkedOffset(address, Long.BYTES), value);
  }

  /** Copies {@code source} into guest memory. */
  public void write(long address, byte[] source) {
    long offset = checkedOffset(address, source.length);
    MemorySegment.copy(source, 0, segment, ValueLayout.JAVA_BYTE, offset, source.length);
  }

  private long checkedOffset(long address, long length) {
    long offset = offsetOf(address, length);
    if (offset < 0) {
      throw new IndexOutOfBoundsException(
          length + " bytes at guest address 0x" + Long.toHexString(address) + " are not RAM");
    }
    return offset;
  }

  /**
   * Gives the memory back. Whoever calls has first ended what others do with it: vCPUs, devices,
   * I/O in flight, registrations with a ring.
   */
  @Override
  public void close() {
    mapping.close();
    file.close();
  }
}
