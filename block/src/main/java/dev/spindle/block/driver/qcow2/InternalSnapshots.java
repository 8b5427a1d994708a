// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.linux.Errno;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes, applies and deletes an image's internal snapshots. Straight-line code; nothing else uses
 * the image. Meanwhile refcounts and the flags that depend on them may not agree, so the image is
 * marked as dirty, and who opens it after a crash mends them; version 2 has no such mark.
 */
final class InternalSnapshots {
  private final Qcow2Image image;
  private final Qcow2Io io;
  private final Storage file;
  private final Metadata metadata;
  private final SharedTables tables;

  /** Whether what is in memory and in the file may not agree. */
  private boolean inDanger;

  /** Of an image that may be written. */
  InternalSnapshots(Qcow2Image image, Qcow2Io io) {
    this.image = image;
    this.io = io;
    this.file = io.file();
    this.metadata = image.metadata();
    this.tables = new SharedTables(image, file);
  }

  /** Something that may leave refcounts wrong if it does not come to its end. */
  @FunctionalInterface
  private interface Step {
    void run() throws Qcow2Exception;
  }

  private void whileDirty(Step step) throws Qcow2Exception {
    image.settle(io);
    image.change(
        io,
        () -> {
          mark(true);
          inDanger = true;
          try {
            step.run();
            settle();
          } finally {
            if (inDanger) {
              image.writeNoMore();
            }
          }
          return null;
        });
  }

  private void settle() throws Qcow2Exception {
    metadata.settle(file);
    mark(false);
    inDanger = false;
  }

  /** Counts one more reference to all that an L1 table leads to; if it cannot, nothing changes. */
  private void share(long[] l1, Step undo) throws Qcow2Exception {
    try {
      tables.addToAll(l1, 1);
    } catch (UncountableException e) {
      undo.run();
      settle();
      throw e;
    }
  }

  private void mark(boolean dirty) throws Qcow2Exception {
    Qcow2Header now = image.header();
    long bits = (now.incompatible() & ~Features.DIRTY) | (dirty ? Features.DIRTY : 0);
    image.headerFile().setFeatures(file, bits, now.autoclear());
  }

  /** Makes one; returns its id. */
  String create(String name, Instant time) throws Qcow2Exception {
    List<Snapshot> before = image.snapshots();
    if (before.size() >= Geometry.MOST_SNAPSHOTS) {
      throw new Qcow2Exception(Errno.EFBIG, "The image has as many snapshots as there may be");
    }
    if (image.header().has(Features.DATA_FILE)) {
      throw new Qcow2Exception(
          Errno.EOPNOTSUPP, "Images with a data file of their own cannot have internal snapshots");
    }
    if (name.getBytes(UTF_8).length > 0xffff) {
      throw new Qcow2Exception(Errno.EINVAL, "The snapshot's name is too long");
    }
    String id = nextId(before);
    whileDirty(
        () -> {
          long[] l1 = tables.activeL1();
          long l1Offset = tables.writeL1(l1);
          share(l1, () -> tables.giveBack(l1Offset, 8L * l1.length));
          List<Snapshot> after = new ArrayList<>(before);
          after.add(
              new Snapshot(
                  l1.length == 0 ? 0 : l1Offset,
                  l1.length,
                  id,
                  name,
                  time.getEpochSecond(),
                  time.getNano(),
                  0,
                  0,
                  image.header().size(),
                  Snapshot.NO_COUNT,
                  0));
          metadata.write(file);
          tables.correctFlags();
          writeTable(after);
        });
    return id;
  }

  private static String nextId(List<Snapshot> snapshots) {
    long most = 0;
    for (Snapshot snapshot : snapshots) {
      if (snapshot.id().matches("\\d{1,9}")) {
        most = Math.max(most, Long.parseLong(snapshot.id()));
      }
    }
    return Long.toString(most + 1);
  }

  private Snapshot find(String id) throws Qcow2Exception {
    for (Snapshot snapshot : image.snapshots()) {
      if (snapshot.id().equals(id)) {
        return snapshot;
      }
    }
    throw new Qcow2Exception(Errno.ENOENT, "The image has no snapshot with the id '" + id + "'");
  }

  /** Has the image be as it was. */
  void apply(String id) throws Qcow2Exception {
    Snapshot snapshot = find(id);
    if (snapshot.diskSize() != 0 && snapshot.diskSize() != image.header().size()) {
      throw new Qcow2Exception(
          Errno.EINVAL,
          "The snapshot '%s' is one of a disk of %d bytes; this one has %d"
              .formatted(id, snapshot.diskSize(), image.header().size()));
    }
    whileDirty(
        () -> {
          long[] next = tables.readL1(snapshot);
          long[] last = tables.activeL1();
          share(next, () -> {});
          metadata.write(file);
          metadata.growL1(file, next.length, image.header().size());
          tables.replaceActive(next);
          tables.addToAll(last, -1);
          metadata.write(file);
          tables.correctFlags();
        });
  }

  /** Has the image, which is not written, show it until it is closed. */
  void show(String id) throws Qcow2Exception {
    Snapshot snapshot = find(id);
    long size = snapshot.diskSize() == 0 ? image.header().size() : snapshot.diskSize();
    image.locked(
        io,
        () -> {
          image.metadata().show(tables.readL1(snapshot), size);
          image.decompressor().forget();
          return null;
        });
  }

  /** Gives one up. */
  void delete(String id) throws Qcow2Exception {
    Snapshot snapshot = find(id);
    whileDirty(
        () -> {
          long[] l1 = tables.readL1(snapshot);
          List<Snapshot> after = new ArrayList<>(image.snapshots());
          after.remove(snapshot);
          writeTable(after);
          tables.addToAll(l1, -1);
          tables.giveBack(snapshot.l1Offset(), 8L * snapshot.l1Size());
          metadata.write(file);
          tables.correctFlags();
        });
  }

  private void writeTable(List<Snapshot> after) throws Qcow2Exception {
    Qcow2Header header = image.header();
    long oldBytes = image.snapshots().stream().mapToLong(Snapshot::tableBytes).sum();
    List<Snapshot> encoded = after.stream().map(Snapshot::encoded).toList();
    int bytes = encoded.stream().mapToInt(Snapshot::tableBytes).sum();
    byte[] table = new byte[bytes];
    int at = 0;
    for (Snapshot snapshot : encoded) {
      System.arraycopy(snapshot.encode(), 0, table, at, snapshot.tableBytes());
      at += snapshot.tableBytes();
    }
    long offset = bytes == 0 ? 0 : tables.write(table);
    metadata.write(file);
    long before = header.snapshotsOffset();
    image.headerFile().moveSnapshots(file, offset, encoded.size());
    image.setSnapshots(encoded);
    tables.giveBack(before, oldBytes);
  }
}
