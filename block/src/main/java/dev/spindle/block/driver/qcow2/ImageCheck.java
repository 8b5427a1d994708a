// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Looks through an image's tables: counts what refers to each cluster, and compares that with the
 * refcounts and the flags that depend on them. Nothing else uses the image, and its tables are in
 * the file. What it finds it says in qemu-img's words.
 */
final class ImageCheck {
  private final Qcow2Image image;
  private final Storage file;
  private final Geometry geometry;
  private final Refcounts refcounts;
  private final boolean externalData;
  private final boolean fixLeaks;
  private final boolean fixErrors;
  private final Consumer<String> messages;
  private final References references = new References();

  private long corruptions;
  private long leaks;
  private long corruptionsFixed;
  private long leaksFixed;
  private long allocated;
  private long fragmented;
  private long compressed;
  private long nextHost;

  private ImageCheck(
      Qcow2Image image,
      Storage file,
      boolean fixLeaks,
      boolean fixErrors,
      Consumer<String> messages) {
    this.image = image;
    this.file = file;
    this.geometry = image.geometry();
    this.refcounts = image.metadata().refcounts();
    this.externalData = image.header().has(Features.DATA_FILE);
    this.fixLeaks = fixLeaks;
    this.fixErrors = fixErrors;
    this.messages = messages;
  }

  /**
   * Checks an image.
   *
   * @param fixLeaks whether to free clusters that nothing refers to
   * @param fixErrors whether to raise refcounts that are too low, and to correct flags
   * @param messages gets a line for each thing found
   * @throws Qcow2Exception if it cannot be looked through
   */
  static CheckResult run(
      Qcow2Image image, Qcow2Io io, boolean fixLeaks, boolean fixErrors, Consumer<String> messages)
      throws Qcow2Exception {
    return image.locked(
        io, () -> new ImageCheck(image, io.file(), fixLeaks, fixErrors, messages).run());
  }

  private CheckResult run() throws Qcow2Exception {
    Qcow2Header header = image.header();
    references.add(0);
    addTable(header.l1Offset(), 8L * header.l1Size());
    long[] l1 = new long[header.l1Size()];
    Arrays.setAll(l1, image.map()::l1At);
    addL1(l1, true);
    long tableBytes = 0;
    for (Snapshot snapshot : image.snapshots()) {
      tableBytes += snapshot.tableBytes();
      addTable(snapshot.l1Offset(), 8L * snapshot.l1Size());
      addL1(Bytes.readLongs(file, snapshot.l1Offset(), snapshot.l1Size()), false);
    }
    addTable(header.snapshotsOffset(), tableBytes);
    addBitmaps(image.bitmaps());
    header.encryption().ifPresent(keys -> addTable(keys.offset(), keys.length()));
    if (fixErrors && mustRebuild()) {
      messages.accept("Rebuilding refcount structure");
      new RefcountRebuild(image, file, references).run();
    }
    addRefcounts();
    long end = compare();
    checkFlags(l1);
    if (corruptionsFixed + leaksFixed > 0) {
      refcounts.write(file);
      file.flush();
    }
    return new CheckResult(
        corruptions,
        leaks,
        corruptionsFixed,
        leaksFixed,
        end << geometry.clusterBits(),
        geometry.clusters(header.size()),
        allocated,
        fragmented,
        compressed);
  }

  private void error(String words, Object... values) {
    messages.accept(words.formatted(values));
    corruptions++;
  }

  private void addTable(long offset, long bytes) {
    addClusters(offset, bytes);
  }

  private void addClusters(long offset, long bytes) {
    if (bytes == 0 || isPastTheEnd(offset, bytes)) {
      return;
    }
    long last = (offset + bytes - 1) >>> geometry.clusterBits();
    for (long cluster = offset >>> geometry.clusterBits(); cluster <= last; cluster++) {
      references.add(cluster);
    }
  }

  private void addBitmaps(BitmapDirectory bitmaps) throws Qcow2Exception {
    addTable(bitmaps.offset(), bitmaps.bytes());
    for (BitmapEntry bitmap : bitmaps.entries()) {
      addTable(bitmap.tableOffset(), 8L * bitmap.tableSize());
      for (long cluster : BitmapTable.read(file, geometry, bitmap).clusters()) {
        addTable(cluster, geometry.clusterSize());
      }
    }
  }

  private void addL1(long[] l1, boolean active) throws Qcow2Exception {
    for (int i = 0; i < l1.length; i++) {
      long table = Entry.host(l1[i]);
      if (table == 0) {
        continue;
      }
      if ((l1[i] & Entry.L1_RESERVED) != 0) {
        error("ERROR found L1 entry with reserved bits set: %x", l1[i]);
      }
      if (!geometry.isAligned(table)) {
        error("ERROR l2_offset=%x: Table is not cluster aligned; L1 entry corrupted", table);
        continue;
      }
      if (isPastTheEnd(table, geometry.clusterSize())) {
        continue;
      }
      references.add(table >>> geometry.clusterBits());
      addL2(Bytes.readLongs(file, table, geometry.clusterSize() / 8), active);
    }
  }

  private void addL2(long[] words, boolean active) {
    int step = 1 << geometry.entryWordsOrder();
    for (int i = 0; i < words.length; i += step) {
      long descriptor = words[i];
      if (geometry.extended()) {
        checkBitmap(descriptor, words[i + 1]);
      }
      if (Entry.isCompressed(descriptor)) {
        addCompressed(descriptor, active);
      } else if (Entry.hasPlace(descriptor, externalData)) {
        addData(descriptor, active);
      }
    }
  }

  private void checkBitmap(long descriptor, long bitmap) {
    if (Entry.isCompressed(descriptor)) {
      if (bitmap != 0) {
        error("ERROR compressed cluster %x with non-zero subcluster allocation bitmap", descriptor);
      }
    } else if ((bitmap & bitmap >>> 32 & Entry.ALL_ALLOCATED) != 0) {
      error(
          "ERROR offset=%x: Allocated cluster has corrupted subcluster allocation bitmap",
          Entry.host(descriptor));
    }
  }

  private void addCompressed(long descriptor, boolean active) {
    if (Entry.isCopied(descriptor)) {
      error(
          "ERROR: coffset=0x%x: copied flag must never be set for compressed clusters",
          Compressed.offset(geometry, descriptor));
    }
    addClusters(Compressed.offset(geometry, descriptor), Compressed.bytes(geometry, descriptor));
    if (active) {
      allocated++;
      compressed++;
      // As qemu-img counts: what is packed follows nothing.
      fragmented++;
    }
  }

  private void addData(long descriptor, boolean active) {
    long host = Entry.host(descriptor);
    if (active) {
      allocated++;
      if (nextHost != 0 && host != nextHost) {
        fragmented++;
      }
      nextHost = host + geometry.clusterSize();
    }
    if (externalData) {
      return;
    }
    if (!geometry.isAligned(host)) {
      error("ERROR offset=%x: Cluster is not properly aligned; L2 entry corrupted.", host);
      return;
    }
    if (!isPastTheEnd(host, geometry.clusterSize())) {
      references.add(host >>> geometry.clusterBits());
    }
  }

  /** What lies there is counted by nobody, so that an image cannot have much of it counted. */
  private boolean isPastTheEnd(long offset, long bytes) {
    boolean past = offset + bytes - file.length() >= geometry.clusterSize();
    if (past) {
      error(
          "ERROR: counting reference for region exceeding the end of the file by one cluster or"
              + " more: offset 0x%x size 0x%x",
          offset, bytes);
    }
    return past;
  }

  /** Whether some cluster in use has no place for its refcount, or a refcount block is none. */
  private boolean mustRebuild() {
    long before = corruptionsFixed;
    for (int i = 0; i < refcounts.tableSize(); i++) {
      long block = refcounts.block(i);
      Optional<String> wrong = wrong(i, block);
      if (wrong.isPresent()) {
        messages.accept(wrong.get());
        corruptionsFixed++;
      } else if (block != 0) {
        long cluster = block >>> geometry.clusterBits();
        if (references.get(cluster) > 0) {
          messages.accept("ERROR refcount block %d refcount=2".formatted(i));
          corruptionsFixed++;
        } else {
          needRefcount(cluster);
        }
      }
    }
    long table = refcounts.tableOffset() >>> geometry.clusterBits();
    for (long i = 0; i < geometry.clusters(8L * refcounts.tableSize()); i++) {
      needRefcount(table + i);
    }
    for (long at = references.next(0); at >= 0; at = references.next(at + 1)) {
      needRefcount(at);
    }
    return corruptionsFixed > before;
  }

  private void needRefcount(long cluster) {
    if (!isCounted(cluster)) {
      messages.accept(
          "ERROR cluster %d refcount=0 reference=%d"
              .formatted(cluster, Math.max(1, references.get(cluster))));
      corruptionsFixed++;
    }
  }

  /** Why an entry of the refcount table leads to no block; empty if it does, or says so. */
  private Optional<String> wrong(int index, long block) {
    if (block < 0 || !geometry.isAligned(block)) {
      return Optional.of(
          "ERROR refcount block %d is not cluster aligned; refcount table entry corrupted"
              .formatted(index));
    }
    return block >= file.length()
        ? Optional.of("ERROR refcount block %d is outside image".formatted(index))
        : Optional.empty();
  }

  private void addRefcounts() {
    addTable(refcounts.tableOffset(), 8L * refcounts.tableSize());
    for (int i = 0; i < refcounts.tableSize(); i++) {
      long block = refcounts.block(i);
      if (block == 0) {
        continue;
      }
      Optional<String> wrong = wrong(i, block);
      if (wrong.isPresent()) {
        error("%s", wrong.get());
      } else if (references.add(block >>> geometry.clusterBits()) > 0) {
        error("ERROR refcount block %d refcount=2", i);
      }
    }
  }

  /** Compares; returns how many clusters the file has up to the last one in use. */
  private long compare() throws Qcow2Exception {
    long end = 0;
    int blockBits = geometry.refcountBlockBits();
    long counted = (long) refcounts.tableSize() << blockBits;
    long cluster = 0;
    while (cluster >= 0) {
      if (!references.hasPart(cluster) && !isCounted(cluster)) {
        cluster = next(cluster, counted, blockBits);
        continue;
      }
      int found = references.get(cluster);
      long said = said(cluster);
      if (said != 0 || found != 0) {
        end = cluster + 1;
      }
      if (said != found) {
        differ(cluster, said, found);
      }
      cluster++;
    }
    return end;
  }

  /** A cluster's refcount; 0 if it has no place for one. */
  private long said(long cluster) throws Qcow2Exception {
    return isCounted(cluster) ? refcounts.get(file, cluster) : 0;
  }

  private boolean isCounted(long cluster) {
    long index = cluster >>> geometry.refcountBlockBits();
    if (index >= refcounts.tableSize()) {
      return false;
    }
    long block = refcounts.block((int) index);
    return block > 0 && geometry.isAligned(block) && block < file.length();
  }

  /** The next cluster that is counted or referred to; -1 if there is none. */
  private long next(long cluster, long counted, int blockBits) {
    long referred = references.nextPart(cluster);
    for (long index = (cluster >>> blockBits) + 1; index << blockBits < counted; index++) {
      if (isCounted(index << blockBits)) {
        return referred < 0 ? index << blockBits : Math.min(referred, index << blockBits);
      }
    }
    return referred;
  }

  private void differ(long cluster, long said, int found) throws Qcow2Exception {
    boolean leak = said > found;
    boolean fix = (leak ? fixLeaks : fixErrors) && isCounted(cluster);
    String what = leak ? "Leaked" : fix ? "Repairing" : "ERROR";
    if (leak && fix) {
      what = "Repairing";
    }
    messages.accept("%s cluster %d refcount=%d reference=%d".formatted(what, cluster, said, found));
    if (fix) {
      refcounts.add(file, cluster, 1, Math.toIntExact(found - said));
      if (leak) {
        leaksFixed++;
      } else {
        corruptionsFixed++;
      }
    } else if (leak) {
      leaks++;
    } else {
      corruptions++;
    }
  }

  /** The flags that say that a refcount is exactly one. */
  private void checkFlags(long[] l1) throws Qcow2Exception {
    boolean changed = false;
    for (int i = 0; i < l1.length; i++) {
      long table = Entry.host(l1[i]);
      if (table == 0 || !geometry.isAligned(table)) {
        continue;
      }
      long refcount = said(table >>> geometry.clusterBits());
      if (refcount == 1 != Entry.isCopied(l1[i])) {
        flag("L2 cluster: l1_index=%d l1_entry=%x refcount=%d", i, l1[i], refcount);
        if (fixErrors) {
          l1[i] ^= Entry.COPIED;
          image.map().setL1(i, l1[i]);
          changed = true;
        }
      }
      checkL2Flags(table);
    }
    if (changed) {
      image.metadata().writeWholeL1(file);
    }
  }

  private void flag(String words, Object... values) {
    messages.accept(
        (fixErrors ? "Repairing" : "ERROR") + " OFLAG_COPIED " + words.formatted(values));
    if (fixErrors) {
      corruptionsFixed++;
    } else {
      corruptions++;
    }
  }

  private void checkL2Flags(long table) throws Qcow2Exception {
    long[] words = Bytes.readLongs(file, table, geometry.clusterSize() / 8);
    boolean changed = false;
    for (int i = 0; i < words.length; i += 1 << geometry.entryWordsOrder()) {
      long descriptor = words[i];
      long host = Entry.host(descriptor);
      if (externalData
          || Entry.isCompressed(descriptor)
          || host == 0
          || !geometry.isAligned(host)) {
        continue;
      }
      long refcount = said(host >>> geometry.clusterBits());
      if (refcount == 1 != Entry.isCopied(descriptor)) {
        flag("data cluster: l2_entry=%x refcount=%d", descriptor, refcount);
        words[i] ^= Entry.COPIED;
        changed = true;
      }
    }
    if (changed && fixErrors) {
      Bytes.write(file, table, Bytes.ofLongs(words, 0, words.length));
      image.map().cache().clear();
    }
  }
}
