// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.memory.DeviceMemory;
import dev.spindle.devices.vhost.VhostUserPayload.Region;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.MappingSpace;
import dev.spindle.linux.MemFd;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The memory that a front end has sent, region by region, mapped side by side into one segment.
 * Queues look addresses up from any thread; one thread at a time changes the regions, and takes one
 * away only while nobody uses it.
 */
final class ClientMemory implements DeviceMemory, AutoCloseable {
  /** How many regions there may be at a time. */
  static final int MOST_REGIONS = 509;

  /** Room for large guests, and so little of the 2^47 addresses that many clients find some. */
  private static final long SPACE_BYTES = 1L << 41;

  /** Guest-physical addresses have at most 52 bits on x86-64. */
  private static final long ADDRESS_END = 1L << 52;

  private static final long PAGE = 4096;

  /** So that the kernel can map large pages. */
  private static final long PLACE_ALIGNMENT = 2 << 20;

  private static final Table EMPTY = new Table(List.of());

  private final MappingSpace space;
  private final List<Mapped> regions = new ArrayList<>();
  private volatile Table table = EMPTY;

  /** Whether a region may be cut off by its owner at any time. Never unset. */
  private volatile boolean mayVanish;

  /**
   * A region and where it is mapped.
   *
   * @param at where its mapping begins in the segment
   * @param bytes size of the mapping
   * @param offset where the region itself begins in the segment
   */
  private record Mapped(Region region, LinuxFile file, long at, long bytes, long offset) {}

  /** What is looked up, in arrays of the same order. */
  @SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
  private record Table(long[] guest, long[] user, long[] bytes, long[] offset) {
    Table(List<Mapped> regions) {
      this(
          regions.stream().mapToLong(mapped -> mapped.region.guestAddress()).toArray(),
          regions.stream().mapToLong(mapped -> mapped.region.userAddress()).toArray(),
          regions.stream().mapToLong(mapped -> mapped.region.bytes()).toArray(),
          regions.stream().mapToLong(mapped -> mapped.offset).toArray());
    }

    /**
     * Which guest-physical address is at a place.
     *
     * @param starts where the regions begin, counted as the place is
     * @return -1 if none
     */
    long guestAddress(long[] starts, long place) {
      for (int i = 0; i < starts.length; i++) {
        long inside = place - starts[i];
        if (inside >= 0 && inside < bytes[i]) {
          return guest[i] + inside;
        }
      }
      return -1;
    }
  }

  /** Whether memory is taken that its owner could cut off. */
  private final boolean unsealedAllowed;

  private ClientMemory(MappingSpace space, boolean unsealedAllowed) {
    this.space = space;
    this.unsealedAllowed = unsealedAllowed;
  }

  /**
   * Begins without any region.
   *
   * @param unsealedAllowed whether to take memory that its owner could cut off, and so end this
   *     process: the JVM survives most accesses to a page that is gone, but not every one
   */
  static ClientMemory empty(boolean unsealedAllowed) throws LinuxException {
    return new ClientMemory(MappingSpace.reserve(SPACE_BYTES), unsealedAllowed);
  }

  @Override
  public MemorySegment segment() {
    return space.segment();
  }

  @Override
  public long offsetOf(long address, long length) {
    Table now = table;
    return find(now, now.guest, address, length);
  }

  private static long find(Table now, long[] starts, long address, long length) {
    for (int i = 0; i < starts.length; i++) {
      long inside = address - starts[i];
      // As differences: sums could overflow. No region is near the end of all addresses.
      if (inside >= 0 && length >= 0 && length <= now.bytes[i] - inside) {
        return now.offset[i] + inside;
      }
    }
    return -1;
  }

  /**
   * Which guest-physical address the front end's process has at an address of its own.
   *
   * @return -1 if none
   */
  long guestAddressOf(long userAddress) {
    Table now = table;
    return now.guestAddress(now.user, userAddress);
  }

  /**
   * Which guest-physical address is at an offset of the segment where there is one.
   *
   * @param offset as {@link #offsetOf} has said
   */
  long guestAddressAt(long offset) {
    Table now = table;
    return now.guestAddress(now.offset, offset);
  }

  /** How many regions there are. */
  int regionCount() {
    return regions.size();
  }

  /** Whether some of it may go away at any time. Any thread. */
  boolean mayVanish() {
    return mayVanish;
  }

  /**
   * Has the error of an access to memory that its owner has cut off come out now. The JVM notices
   * such an access, skips it, and throws at the next point where threads can be stopped; a call of
   * native code is one.
   *
   * @throws InternalError if there was such an access on this thread
   */
  void settle() {
    if (mayVanish) {
      Thread.yield();
    }
  }

  /**
   * Maps a region.
   *
   * @param fd its file; owned by this object from now on, but the caller's if this fails
   * @throws VhostUserException if the region cannot be
   * @throws LinuxException if the host cannot map it
   */
  void add(Region region, Fd fd) throws VhostUserException, LinuxException {
    checkKind(fd);
    LinuxFile file = LinuxFile.adopt(fd, Path.of("guest memory"));
    check(region, file);
    Mapped mapped = place(region, file);
    space.map(mapped.at, fd, region.fileOffset() - (mapped.offset - mapped.at), mapped.bytes);
    regions.add(mapped);
    table = new Table(regions);
  }

  /**
   * Seals a file if that is possible, before it is measured, and before any file system is asked
   * about it: that might never answer, nor let an access to a page of it return.
   */
  private void checkKind(Fd fd) throws VhostUserException {
    if (MemFd.sealAgainstLoss(fd)) {
      return;
    }
    if (!unsealedAllowed) {
      throw new VhostUserException(
          "memory that its owner could take away: it must be a memfd of ordinary pages that can be"
              + " sealed, unless the export has unsealed-memory=on");
    }
    if (!MemFd.isMemory(fd)) {
      throw new VhostUserException(
          "memory in a file that is not in memory itself: with unsealed-memory=on, too, it must be"
              + " a memfd, or a file on tmpfs or hugetlbfs");
    }
    mayVanish = true;
  }

  private void check(Region region, LinuxFile file) throws VhostUserException, LinuxException {
    if (regions.size() == MOST_REGIONS) {
      throw new VhostUserException("more than " + MOST_REGIONS + " memory regions");
    }
    if (region.bytes() <= 0
        || region.fileOffset() < 0
        || !isInside(region.guestAddress(), region.bytes(), ADDRESS_END)
        || !isInside(region.userAddress(), region.bytes(), Long.MAX_VALUE)) {
      throw new VhostUserException("an impossible memory region: " + describe(region));
    }
    for (Mapped other : regions) {
      boolean overlaps =
          overlap(region.guestAddress(), other.region.guestAddress(), region, other.region)
              || overlap(region.userAddress(), other.region.userAddress(), region, other.region);
      if (overlaps) {
        throw new VhostUserException(
            "memory regions that overlap: " + describe(region) + " and " + describe(other.region));
      }
    }
    if (file.type() != LinuxFile.Type.REGULAR) {
      throw new VhostUserException("a memory region that is in no regular file");
    }
    if (!isInside(region.fileOffset(), region.bytes(), file.size())) {
      throw new VhostUserException(
          "a memory region that exceeds its file of "
              + file.size()
              + " bytes: "
              + describe(region));
    }
  }

  private static boolean isInside(long start, long bytes, long end) {
    return start >= 0 && bytes <= end && start <= end - bytes;
  }

  private static boolean overlap(long start, long otherStart, Region region, Region other) {
    return start < otherStart + other.bytes() && otherStart < start + region.bytes();
  }

  private Mapped place(Region region, LinuxFile file) throws VhostUserException, LinuxException {
    // The size of the file's pages, if they are huge ones.
    long blockSize = file.physicalBlockSize();
    long page = blockSize > PAGE && Long.bitCount(blockSize) == 1 ? blockSize : PAGE;
    if (file.size() % page != 0) {
      page = PAGE;
    }
    long inPage = region.fileOffset() & (page - 1);
    if (region.bytes() > SPACE_BYTES - 2 * page) {
      throw new VhostUserException("a memory region that is too large: " + describe(region));
    }
    long bytes = (inPage + region.bytes() + page - 1) & -page;
    long alignment = Math.max(page, PLACE_ALIGNMENT);
    long at = 0;
    for (Mapped other : regions.stream().sorted(Comparator.comparingLong(Mapped::at)).toList()) {
      if (other.at - at >= bytes) {
        break;
      }
      at = (other.at + other.bytes + alignment - 1) & -alignment;
    }
    if (bytes > SPACE_BYTES - at) {
      throw new VhostUserException("a memory region that there is no room for");
    }
    return new Mapped(region, file, at, bytes, at + inPage);
  }

  /**
   * Has queues find a region no more.
   *
   * @param region as it was added, the offset in its file aside
   * @return unmaps it, once nobody uses it any more
   * @throws VhostUserException if there is no such region
   */
  Runnable remove(Region region) throws VhostUserException {
    for (Mapped mapped : regions) {
      Region known = mapped.region;
      if (known.guestAddress() == region.guestAddress()
          && known.userAddress() == region.userAddress()
          && known.bytes() == region.bytes()) {
        regions.remove(mapped);
        table = new Table(regions);
        return () -> unmap(mapped);
      }
    }
    throw new VhostUserException(
        "a memory region to remove that is not there: " + describe(region));
  }

  /** Takes every region away. Nobody uses the memory. */
  void clear() {
    table = EMPTY;
    regions.forEach(this::unmap);
    regions.clear();
  }

  private void unmap(Mapped mapped) {
    try {
      space.unmap(mapped.at, mapped.bytes);
    } catch (LinuxException e) {
      throw new IllegalStateException("memory that is mapped cannot be given back", e);
    } finally {
      mapped.file.close();
    }
  }

  private static String describe(Region region) {
    return "%d bytes at guest address 0x%x, user address 0x%x, offset %d"
        .formatted(
            region.bytes(), region.guestAddress(), region.userAddress(), region.fileOffset());
  }

  @Override
  public void close() {
    table = EMPTY;
    regions.forEach(mapped -> mapped.file.close());
    regions.clear();
    space.close();
  }
}
