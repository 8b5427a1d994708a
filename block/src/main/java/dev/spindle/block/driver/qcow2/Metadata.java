// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * The image's tables in memory, and the order in which they reach the file, so that a crash at any
 * moment leaves clusters that nobody refers to at worst:
 *
 * <ol>
 *   <li>refcounts of what was taken, after the data written there;
 *   <li>a flush; then L2 entries that refer to it;
 *   <li>a flush; then L1 entries that lead to new L2 tables;
 *   <li>a flush; only then refcounts of what was given up are lowered, and it can be taken again,
 *       once no request is on its way there any more.
 * </ol>
 *
 * Under the image's lock, where nothing else is said.
 */
final class Metadata {
  /** More than this waiting to be given up has the tables written. */
  private static final int MOST_WAITING = 4096;

  /** Clusters that nobody refers to any more, once the tables are in the file. */
  private record Given(long first, long clusters, long epoch, boolean pass) {}

  private final Geometry geometry;
  private final HeaderFile header;
  private final ClusterMap map;
  private final Refcounts refcounts;
  private final MetadataClusters clusters;
  private final Epochs epochs;
  private final Qcow2Options options;

  /** L1 entries that are not in the file. */
  private final BitSet l1Dirty = new BitSet();

  private final List<Given> unlinked = new ArrayList<>();

  /** The same, and no table in the file refers to them. In order of epochs. */
  private final ArrayDeque<Given> given = new ArrayDeque<>();

  /** Where the last packed data ends in the file, bytes; 0 if there is none to go on behind. */
  private long packedEnd;

  /** Whether a flush of the file alone is not enough. Read by any thread. */
  private volatile boolean dirty;

  Metadata(
      HeaderFile header,
      ClusterMap map,
      Refcounts refcounts,
      MetadataClusters clusters,
      Epochs epochs,
      Qcow2Options options) {
    this.geometry = Geometry.of(header.get());
    this.header = header;
    this.map = map;
    this.refcounts = refcounts;
    this.clusters = clusters;
    this.epochs = epochs;
    this.options = options;
  }

  /** Whether some changes are not in the file. Any thread. */
  boolean isDirty() {
    return dirty;
  }

  Refcounts refcounts() {
    return refcounts;
  }

  MetadataClusters clusters() {
    return clusters;
  }

  /**
   * Has the L2 piece of an offset be in memory.
   *
   * @return null if there is no L2 table
   */
  L2Slice load(Storage file, long offset) throws Qcow2Exception {
    long l1 = map.l1Entry(offset);
    if (Entry.host(l1) == 0) {
      return null;
    }
    L2Slice slice = map.cache().find(map.sliceIndex(offset));
    if (slice != null) {
      return slice;
    }
    checkTable(file, l1, offset);
    long[] words = Bytes.readLongs(file, sliceOffset(l1, offset), geometry.sliceBytes() / 8);
    checkEntries(words, offset);
    slice = new L2Slice(map.sliceIndex(offset), words, geometry.entryWordsOrder());
    if (!map.cache().add(slice)) {
      write(file);
      if (!map.cache().add(slice)) {
        throw new IllegalStateException("no place for a piece of an L2 table");
      }
    }
    return slice;
  }

  private long sliceOffset(long l1, long offset) {
    long inTable = (offset >>> geometry.sliceShift()) * geometry.sliceBytes();
    return Entry.host(l1) + (inTable & geometry.clusterSize() - 1);
  }

  private void checkTable(Storage file, long l1, long offset) throws Qcow2Exception {
    long table = Entry.host(l1);
    if (!geometry.isAligned(table) || table >= file.length()) {
      throw new CorruptImageException(
          "the L2 table for offset %d is said to be at %#x, where it cannot be"
              .formatted(offset, table));
    }
  }

  /** Refuses entries that would have guest data overwrite metadata, or that lead nowhere. */
  private void checkEntries(long[] words, long offset) throws Qcow2Exception {
    if (header.get().has(Features.DATA_FILE)) {
      checkExternal(words, offset >>> geometry.sliceShift() << geometry.sliceShift());
      return;
    }
    for (int i = 0; i < words.length; i += 1 << geometry.entryWordsOrder()) {
      long descriptor = words[i];
      long host = Entry.host(descriptor);
      if (Entry.isCompressed(descriptor) || host == 0) {
        continue;
      }
      if (!geometry.isAligned(host)) {
        throw new CorruptImageException(
            "Cluster allocation offset %#x unaligned (in the L2 table for offset %d)"
                .formatted(host, offset));
      }
      if (clusters.contains(host >>> geometry.clusterBits())) {
        throw new CorruptImageException(
            "the data cluster at %#x is metadata (in the L2 table for offset %d)"
                .formatted(host, offset));
      }
    }
  }

  /** In another file, each cluster is where the guest sees it, and none is compressed. */
  private void checkExternal(long[] words, long first) throws Qcow2Exception {
    long guest = first;
    for (int i = 0; i < words.length; i += 1 << geometry.entryWordsOrder()) {
      long descriptor = words[i];
      boolean wrong =
          Entry.isCompressed(descriptor)
              || (Entry.hasPlace(descriptor, true) && Entry.host(descriptor) != guest);
      if (wrong) {
        throw new CorruptImageException(
            "External data file host cluster offset %#x does not match guest cluster offset: %#x"
                .formatted(Entry.host(descriptor), guest));
      }
      guest += geometry.clusterSize();
    }
  }

  /** Whether the file is told of what a request gives up. */
  boolean passesRequests() {
    return options.passRequest();
  }

  /** As {@link #load}, for an entry that is to be changed: makes the table, or copies it. */
  L2Slice loadForChange(Storage file, long offset) throws Qcow2Exception {
    long l1 = map.l1Entry(offset);
    if (!Entry.isCopied(l1) || Entry.host(l1) == 0) {
      ownTable(file, l1, offset);
    }
    return load(file, offset);
  }

  private void ownTable(Storage file, long l1, long offset) throws Qcow2Exception {
    long before = Entry.host(l1);
    if (before != 0) {
      checkTable(file, l1, offset);
    }
    long cluster = refcounts.allocate(file, header, 1);
    dirty = true;
    long table = cluster << geometry.clusterBits();
    try {
      byte[] contents =
          before == 0
              ? new byte[geometry.clusterSize()]
              : Bytes.read(file, before, geometry.clusterSize());
      Bytes.write(file, table, contents);
    } catch (Qcow2Exception e) {
      refcounts.add(file, cluster, 1, -1);
      throw e;
    }
    clusters.add(cluster, 1);
    map.setL1(map.l1Index(offset), table | Entry.COPIED);
    l1Dirty.set(map.l1Index(offset));
    if (before != 0) {
      giveUp(before >>> geometry.clusterBits(), 1, options.passOther());
    }
  }

  /** Changes an entry of a piece that {@link #loadForChange} has returned. */
  void change(L2Slice slice, int entry, long descriptor, long bitmap) {
    map.cache().willChange(slice);
    slice.set(entry, descriptor, bitmap);
    dirty = true;
  }

  /** Takes clusters that lie one after another, at most so many and at least one. */
  long allocate(Storage file, long count) throws Qcow2Exception {
    reclaim(file);
    dirty = true;
    return refcounts.allocate(file, header, count);
  }

  /**
   * Takes room for packed data: behind what was packed before it, if that can be.
   *
   * @param bytes fewer than a cluster has
   * @return where, in bytes
   */
  long allocatePacked(Storage file, int bytes) throws Qcow2Exception {
    long inside = packedEnd & geometry.clusterSize() - 1L;
    long cluster = packedEnd >>> geometry.clusterBits();
    boolean behind =
        inside != 0
            && refcounts.get(file, cluster) < geometry.mostRefcount()
            && (inside + bytes <= geometry.clusterSize()
                || refcounts.allocateAt(file, cluster + 1, 1) == 1);
    long start = packedEnd;
    if (behind) {
      refcounts.add(file, cluster, 1, 1);
      dirty = true;
    } else {
      start = allocate(file, 1) << geometry.clusterBits();
    }
    packedEnd = start + bytes;
    return start;
  }

  /** Gives back what {@link #allocatePacked} took, to which nothing refers. */
  void putBackPacked(Storage file, long start, int bytes) throws Qcow2Exception {
    packedEnd = 0;
    long first = start >>> geometry.clusterBits();
    long last = (start + bytes - 1) >>> geometry.clusterBits();
    refcounts.add(file, first, last - first + 1, -1);
  }

  /** A cluster is free: nothing may be put into the rest of it. */
  void forgetPacked(long cluster) {
    if ((packedEnd - 1) >>> geometry.clusterBits() == cluster) {
      packedEnd = 0;
    }
  }

  /** Gives back what was taken and never referred to. */
  void putBack(Storage file, long first, long count) throws Qcow2Exception {
    refcounts.add(file, first, count, -1);
  }

  /**
   * Nothing in memory refers to clusters any more that something did.
   *
   * @param pass whether the file is to be told
   */
  private void giveUp(long first, long count, boolean pass) {
    unlinked.add(new Given(first, count, epochs.now(), pass));
    dirty = true;
  }

  /**
   * Gives up what an L2 entry referred to.
   *
   * @param byRequest whether somebody asked for just that
   */
  void giveUpOld(long descriptor, boolean byRequest) {
    boolean pass = byRequest ? options.passRequest() : options.passOther();
    if (header.get().has(Features.DATA_FILE)) {
      return;
    }
    if (Entry.isCompressed(descriptor)) {
      long start = Compressed.offset(geometry, descriptor);
      long end = start + Compressed.bytes(geometry, descriptor);
      long first = start >>> geometry.clusterBits();
      giveUp(first, ((end - 1) >>> geometry.clusterBits()) - first + 1, pass);
    } else if (Entry.host(descriptor) != 0) {
      giveUp(Entry.host(descriptor) >>> geometry.clusterBits(), 1, pass);
    }
  }

  /** Gives up an L2 table that refers to nothing. */
  void dropTable(int l1Index) {
    long table = Entry.host(map.l1At(l1Index));
    map.setL1(l1Index, 0);
    l1Dirty.set(l1Index);
    map.cache()
        .forget(slice -> slice.index << geometry.sliceShift() >>> geometry.l1Shift() == l1Index);
    giveUp(table >>> geometry.clusterBits(), 1, options.passOther());
  }

  /** Has the header say another size, for which the L1 table is long enough. */
  void changeSize(Storage file, long size) throws Qcow2Exception {
    Qcow2Header now = header.get();
    header.resize(file, size, now.l1Offset(), now.l1Size());
  }

  /**
   * Changes the size, with an L1 table that is long enough for it. All tables are in the file.
   *
   * @param entries that are needed
   */
  void growL1(Storage file, int entries, long size) throws Qcow2Exception {
    Qcow2Header now = header.get();
    if (entries <= map.l1Size()) {
      changeSize(file, size);
      return;
    }
    long[] l1 = ImageResize.grown(map, entries);
    long count = geometry.clusters(8L * entries);
    long first = refcounts.allocate(file, header, count);
    dirty = true;
    long offset = first << geometry.clusterBits();
    try {
      byte[] bytes = new byte[Math.toIntExact(count << geometry.clusterBits())];
      byte[] table = Bytes.ofLongs(l1, 0, l1.length);
      System.arraycopy(table, 0, bytes, 0, table.length);
      Bytes.write(file, offset, bytes);
      refcounts.write(file);
      file.flush();
      header.resize(file, size, offset, entries);
    } catch (Qcow2Exception e) {
      refcounts.add(file, first, count, -1);
      throw e;
    }
    clusters.add(first, count);
    map.replaceL1(l1);
    long oldCount = geometry.clusters(8L * now.l1Size());
    if (oldCount > 0) {
      giveUp(now.l1Offset() >>> geometry.clusterBits(), oldCount, options.passOther());
    }
  }

  /** Has what is in memory of an image that is not written lead elsewhere, with another size. */
  void show(long[] l1, long size) throws Qcow2Exception {
    if (l1.length < geometry.l1Entries(size)) {
      throw new Qcow2Exception("A snapshot's L1 table is too small for its disk");
    }
    header.pretend(size);
    map.replaceL1(l1);
    map.cache().clear();
  }

  /** Writes the tables if much waits for that. */
  void relieve(Storage file) throws Qcow2Exception {
    if (unlinked.size() > MOST_WAITING) {
      write(file);
    }
  }

  /**
   * Writes all that has changed, and returns when it is on stable storage, with the data that was
   * written before.
   */
  void write(Storage file) throws Qcow2Exception {
    refcounts.write(file);
    List<L2Slice> slices = map.cache().dirty();
    if (!slices.isEmpty() || !l1Dirty.isEmpty()) {
      file.flush();
    }
    while (!slices.isEmpty()) {
      writeSlice(file, slices.getLast());
      slices.removeLast().dirty = false;
    }
    if (!l1Dirty.isEmpty()) {
      file.flush();
      writeL1(file);
    }
    file.flush();
    given.addAll(unlinked);
    unlinked.clear();
    reclaim(file);
    if (refcounts.isDirty()) {
      refcounts.write(file);
      file.flush();
    }
    dirty = !given.isEmpty();
  }

  private void writeSlice(Storage file, L2Slice slice) throws Qcow2Exception {
    long offset = slice.index << geometry.sliceShift();
    long[] words = slice.words();
    byte[] bytes = Bytes.ofLongs(words, 0, words.length);
    Bytes.write(file, sliceOffset(map.l1Entry(offset), offset), bytes);
  }

  /** Writes all of the L1 table. */
  void writeWholeL1(Storage file) throws Qcow2Exception {
    l1Dirty.set(0, map.l1Size());
    writeL1(file);
  }

  private void writeL1(Storage file) throws Qcow2Exception {
    for (int index = l1Dirty.nextSetBit(0); index >= 0; index = l1Dirty.nextSetBit(index)) {
      int start = index & -64;
      long[] entries = new long[64];
      for (int i = 0; i < 64 && start + i < map.l1Size(); i++) {
        entries[i] = map.l1At(start + i);
      }
      Bytes.write(file, header.get().l1Offset() + 8L * start, Bytes.ofLongs(entries, 0, 64));
      l1Dirty.clear(start, start + 64);
    }
  }

  /** Lowers refcounts of what was given up, as far as no request is on its way there. */
  private void reclaim(Storage file) throws Qcow2Exception {
    if (given.isEmpty()) {
      return;
    }
    epochs.advance();
    while (!given.isEmpty() && epochs.isOver(given.peek().epoch())) {
      Given next = given.remove();
      refcounts.add(file, next.first, next.clusters, -1);
      for (long cluster = next.first; cluster < next.first + next.clusters; cluster++) {
        if (refcounts.get(file, cluster) == 0) {
          freed(file, cluster, next.pass);
        }
      }
    }
  }

  private void freed(Storage file, long cluster, boolean pass) throws Qcow2Exception {
    clusters.remove(cluster, 1);
    forgetPacked(cluster);
    if (pass) {
      file.discard(cluster << geometry.clusterBits(), geometry.clusterSize());
    }
  }

  /**
   * Writes everything that there is, what waits for requests included: there are none.
   *
   * @throws Qcow2Exception if something could not be written
   */
  void settle(Storage file) throws Qcow2Exception {
    for (int i = 0; i < 3 && (dirty || refcounts.isDirty()); i++) {
      write(file);
    }
  }

  /** Has the image say that it is corrupt, if that can be written. */
  void markCorrupt(Storage file) throws Qcow2Exception {
    Qcow2Header now = header.get();
    header.setFeatures(file, now.incompatible() | Features.CORRUPT, now.autoclear());
  }
}
