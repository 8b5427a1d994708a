// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.driver.qcow2.Entry.Kind;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import dev.spindle.linux.Zstd;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * An open image. Its methods are straight-line code from any context, as many at a time as come,
 * with that context's {@link Qcow2Io}. The image's lock is held while metadata is loaded or
 * changed, never while the guest's data is on its way. What is in memory is looked up without it.
 */
final class Qcow2Image {
  private static final long MOST_L2_CACHE = 32 << 20;

  /** Something that is done with the lock held. */
  @FunctionalInterface
  interface Locked<T> {
    T run() throws Qcow2Exception;
  }

  private final Consumer<String> warnings;
  private final Geometry geometry;
  private final HeaderFile header;
  private final ClusterMap map;
  private final Metadata metadata;
  private final Epochs epochs;
  private final Decompressor decompressor;
  private final BitmapDirectory bitmaps;

  /** Replaced with the lock held, while nobody else uses the image. */
  private volatile List<Snapshot> snapshots;

  /**
   * Whether the header says already that it is one that is written: what its autoclear bits promise
   * does not hold any more. Set with the lock held.
   */
  private volatile boolean begun;

  /** Guards the metadata. Virtual threads only. */
  private final ReentrantLock lock = new ReentrantLock();

  /** Set once, when metadata turned out to contradict each other. */
  private volatile boolean broken;

  private Qcow2Image(
      Consumer<String> warnings,
      HeaderFile header,
      ClusterMap map,
      Metadata metadata,
      Epochs epochs,
      List<Snapshot> snapshots,
      BitmapDirectory bitmaps) {
    this.warnings = warnings;
    this.geometry = Geometry.of(header.get());
    this.header = header;
    this.map = map;
    this.metadata = metadata;
    this.epochs = epochs;
    this.decompressor = new Decompressor(header.get());
    this.snapshots = snapshots;
    this.bitmaps = bitmaps;
  }

  /**
   * Opens an image.
   *
   * @param warnings is told when the image turns out to be corrupt; any thread
   * @param writable whether it may be written
   * @throws Qcow2Exception a sentence on why it cannot be opened, or not so
   */
  static Qcow2Image open(
      Consumer<String> warnings, Storage file, Qcow2Options options, boolean writable)
      throws Qcow2Exception {
    HeaderFile header = new HeaderFile(Qcow2Header.read(file));
    Qcow2Header found = header.get();
    checkSupported(found);
    if (writable) {
      checkWritable(found);
    }
    Geometry geometry = Geometry.of(found);
    List<Snapshot> snapshots = Snapshot.readAll(file, found);
    MetadataClusters clusters = new MetadataClusters();
    long[] l1 = Bytes.readLongs(file, found.l1Offset(), found.l1Size());
    long pages = options.refcountCacheBytes() / geometry.sliceBytes();
    Refcounts refcounts = Refcounts.read(file, found, Math.toIntExact(pages), clusters);
    if (writable) {
      refcounts.checkBlocks();
    }
    add(clusters, geometry, found, l1, snapshots);
    BitmapDirectory bitmaps = BitmapDirectory.read(file, found, clusters);
    long wanted = Math.max(1, geometry.clusters(found.size()) >>> geometry.sliceBits());
    long most =
        (options.l2CacheBytes() < 0 ? MOST_L2_CACHE : options.l2CacheBytes())
            / geometry.sliceBytes();
    ClusterMap map =
        new ClusterMap(
            geometry,
            found.has(Features.DATA_FILE),
            l1,
            new L2Cache(Math.min(wanted + 8, Math.max(8, most))));
    Epochs epochs = new Epochs();
    Metadata metadata = new Metadata(header, map, refcounts, clusters, epochs, options);
    Qcow2Image image = new Qcow2Image(warnings, header, map, metadata, epochs, snapshots, bitmaps);
    if (writable && found.has(Features.DIRTY)) {
      image.mend(new Qcow2Io(file, file, null));
    }
    return image;
  }

  /** Has refcounts be right again of an image that was not closed. */
  private void mend(Qcow2Io io) throws Qcow2Exception {
    CheckResult result = ImageCheck.run(this, io, true, true, message -> {});
    if (result.corruptions() + result.leaks() > 0) {
      throw new Qcow2Exception(
          Errno.EIO,
          "The image was not closed properly, and %d errors of its refcounts could not be repaired"
              .formatted(result.corruptions() + result.leaks()));
    }
    long left = header().incompatible() & ~Features.DIRTY;
    header.setFeatures(io.file(), left, header().autoclear());
  }

  private static void checkSupported(Qcow2Header found) throws Qcow2Exception {
    if (found.compressionType() != 0 && !Zstd.isAvailable()) {
      throw new Qcow2Exception(
          Errno.EOPNOTSUPP,
          "The image is compressed with zstd, which takes libzstd.so.1, and that is not here");
    }
  }

  /**
   * Refuses to write an image that must not be.
   *
   * @throws Qcow2Exception why
   */
  void checkWritable() throws Qcow2Exception {
    checkWritable(header());
    if (header().has(Features.DIRTY)) {
      throw new Qcow2Exception(
          Errno.EOPNOTSUPP,
          "The image was not closed properly: it has to be opened for writing, not reopened");
    }
  }

  private static void checkWritable(Qcow2Header found) throws Qcow2Exception {
    if (found.has(Features.CORRUPT)) {
      throw new Qcow2Exception(Errno.EACCES, "Image is corrupt; cannot be opened read/write");
    }
  }

  /** Has the header name another backing file, or none, with its format if that is to be there. */
  void nameBacking(Qcow2Io io, Optional<String> name, Optional<String> format)
      throws Qcow2Exception {
    change(
        io,
        () -> {
          header.nameBacking(io.file(), name, format);
          return null;
        });
  }

  /** Whether {@link #begin} has nothing to do. Any thread. */
  boolean hasBegun() {
    return begun;
  }

  /** To be called before anything of the image is changed. */
  void begin(Qcow2Io io) throws Qcow2Exception {
    if (!begun) {
      change(io, () -> null);
    }
  }

  /** With the lock. */
  private void tellBegun(Qcow2Io io) throws Qcow2Exception {
    bitmaps.begin(io.file(), header);
    Qcow2Header now = header();
    long known =
        (now.has(Features.DATA_FILE) ? Features.RAW_DATA_FILE : 0)
            | (bitmaps.entries().isEmpty() ? 0 : Features.BITMAPS);
    header.setFeatures(io.file(), now.incompatible(), now.autoclear() & known);
    begun = true;
  }

  /** Whether the guest's clusters are enciphered. Any thread. */
  boolean isEncrypted() {
    return header.get().encryption().isPresent();
  }

  /** Whether the guest's clusters are in another file. Any thread. */
  boolean isExternal() {
    return header.get().has(Features.DATA_FILE);
  }

  /** Whether that file is to be a raw image of what the guest sees. Any thread. */
  boolean isRaw() {
    return isExternal() && (header.get().autoclear() & Features.RAW_DATA_FILE) != 0;
  }

  private static void add(
      MetadataClusters clusters,
      Geometry geometry,
      Qcow2Header header,
      long[] l1,
      List<Snapshot> snapshots) {
    int bits = geometry.clusterBits();
    clusters.add(header.l1Offset() >>> bits, geometry.clusters(8L * l1.length));
    header
        .encryption()
        .ifPresent(keys -> clusters.add(keys.offset() >>> bits, geometry.clusters(keys.length())));
    for (long entry : l1) {
      clusters.add(Entry.host(entry) >>> bits, Entry.host(entry) == 0 ? 0 : 1);
    }
    long tableBytes = 0;
    for (Snapshot snapshot : snapshots) {
      tableBytes += snapshot.tableBytes();
      clusters.add(snapshot.l1Offset() >>> bits, geometry.clusters(8L * snapshot.l1Size()));
    }
    clusters.add(header.snapshotsOffset() >>> bits, geometry.clusters(tableBytes));
  }

  /** What the guest sees, in bytes. Any thread. */
  long length() {
    return header.get().size() & -512;
  }

  Geometry geometry() {
    return geometry;
  }

  Qcow2Header header() {
    return header.get();
  }

  ClusterMap map() {
    return map;
  }

  Metadata metadata() {
    return metadata;
  }

  Epochs epochs() {
    return epochs;
  }

  Decompressor decompressor() {
    return decompressor;
  }

  BitmapDirectory bitmaps() {
    return bitmaps;
  }

  List<Snapshot> snapshots() {
    return snapshots;
  }

  HeaderFile headerFile() {
    return header;
  }

  /** With the lock. */
  void setSnapshots(List<Snapshot> now) {
    snapshots = List.copyOf(now);
  }

  /**
   * The image is as one that nobody writes, until it is written again; no requests are on their
   * way.
   */
  void end() {
    begun = false;
  }

  /** Whether metadata have contradicted each other, so that nothing is written any more. */
  boolean isBroken() {
    return broken;
  }

  /** Runs something with the lock held. */
  <T> T locked(Qcow2Io io, Locked<T> body) throws Qcow2Exception {
    lock.lock();
    try {
      return body.run();
    } catch (CorruptImageException e) {
      corrupt(io, e);
      throw e;
    } finally {
      lock.unlock();
    }
  }

  /** As {@link #locked}, for what changes something. */
  <T> T change(Qcow2Io io, Locked<T> body) throws Qcow2Exception {
    return locked(
        io,
        () -> {
          if (broken) {
            throw new Qcow2Exception("The image is corrupt, and is not written any more");
          }
          if (!begun) {
            tellBegun(io);
          }
          return body.run();
        });
  }

  /** Something has failed in the middle: what is in memory must not be written. With the lock. */
  void writeNoMore() {
    broken = true;
  }

  private void corrupt(Qcow2Io io, CorruptImageException reason) {
    if (broken) {
      return;
    }
    broken = true;
    warnings.accept("the image is corrupt: " + reason.getMessage());
    if (begun) {
      try {
        metadata.markCorrupt(io.file());
      } catch (Qcow2Exception e) {
        warnings.accept("the image cannot be marked as corrupt: " + e.getMessage());
      }
    }
  }

  /**
   * Looks a range up, and loads metadata for that if need be.
   *
   * @param length in bytes, positive, inside the image
   * @throws Qcow2Exception if the metadata cannot be read, or says what cannot be
   */
  void find(Qcow2Io io, long offset, long length, Found found) throws Qcow2Exception {
    map.find(offset, length, found);
    if (found.kind == null) {
      locked(
          io,
          () -> {
            metadata.load(io.file(), offset);
            map.find(offset, length, found);
            return null;
          });
    }
    if (found.kind == Kind.INVALID) {
      locked(
          io,
          () -> {
            throw new CorruptImageException(
                "an L2 entry for offset %d has a subcluster that is two things at once"
                    .formatted(offset));
          });
    }
  }

  /** Reads a range inside the image. */
  void read(Qcow2Io io, long offset, IoVector data, long position, long length)
      throws Qcow2Exception {
    Found found = new Found();
    for (long done = 0; done < length; ) {
      long from = offset + done;
      long to = position + done;
      find(io, from, length - done, found);
      switch (found.kind) {
        case ABSENT -> readBelow(io, from, data, to, found.length);
        case ZERO -> data.fill(to, found.length, (byte) 0);
        case DATA -> io.data().read(found.host, data, to, found.length);
        case COMPRESSED -> {
          byte[] cluster = decompressor.read(io.file(), found.descriptor);
          long inside = from & geometry.clusterSize() - 1;
          data.copyFrom(to, MemorySegment.ofArray(cluster), inside, found.length);
        }
        case INVALID -> throw new IllegalStateException("invalid entries are refused");
      }
      done += found.length;
    }
  }

  private static void readBelow(Qcow2Io io, long offset, IoVector data, long position, long length)
      throws Qcow2Exception {
    long inside = io.backing() == null ? 0 : Math.clamp(io.backing().length() - offset, 0, length);
    data.fill(position + inside, length - inside, (byte) 0);
    if (inside > 0) {
      io.backing().read(offset, data, position, inside);
    }
  }

  /** Whether a range is known to read as zeroes. */
  boolean isZero(Qcow2Io io, long offset, long length) throws Qcow2Exception {
    Found found = new Found();
    for (long done = 0; done < length; done += found.length) {
      find(io, offset + done, length - done, found);
      boolean zero =
          found.kind == Kind.ZERO || (found.kind == Kind.ABSENT && io.nothingBelow(offset + done));
      if (!zero) {
        return false;
      }
    }
    return true;
  }

  /** Returns when all that was written before is on stable storage. */
  void flush(Qcow2Io io) throws Qcow2Exception {
    if (!metadata.isDirty()) {
      io.file().flush();
      return;
    }
    change(
        io,
        () -> {
          metadata.write(io.file());
          return null;
        });
  }

  /** Leaves the image as one that is not in use; no requests are on their way. */
  void settle(Qcow2Io io) throws Qcow2Exception {
    if (metadata.isDirty() && !broken) {
      change(
          io,
          () -> {
            metadata.settle(io.file());
            return null;
          });
    }
  }
}
