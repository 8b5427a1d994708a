// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The header as it is in the file. Each change but that of the backing file's name is one write of
 * the first sector, which reaches the disk as a whole or not at all. Changed under the image's
 * lock, read by any thread.
 */
final class HeaderFile {
  /** What reaches the disk as a whole, bytes. */
  private static final int SECTOR = Qcow2Header.LEAST;

  private volatile Qcow2Header header;

  HeaderFile(Qcow2Header header) {
    this.header = header;
  }

  Qcow2Header get() {
    return header;
  }

  /**
   * Sets feature bits, and waits until they are on stable storage. Version 2 has none: nothing
   * happens then.
   */
  void setFeatures(Storage file, long incompatible, long autoclear) throws Qcow2Exception {
    Qcow2Header now = header;
    if (now.version() >= 3
        && (now.incompatible() != incompatible || now.autoclear() != autoclear)) {
      change(
          file,
          now.withFeatures(incompatible, autoclear),
          sector -> sector.putLong(72, incompatible).putLong(88, autoclear));
    }
  }

  /** Has the header lead to another refcount table, which is on stable storage. */
  void moveRefcountTable(Storage file, long offset, int clusters) throws Qcow2Exception {
    change(
        file,
        header.withRefcountTable(offset, clusters),
        sector -> sector.putLong(48, offset).putInt(56, clusters));
  }

  /** Has the header say another size, and lead to an L1 table that is on stable storage. */
  void resize(Storage file, long size, long l1Offset, int l1Size) throws Qcow2Exception {
    change(
        file,
        header.withSize(size, l1Offset, l1Size),
        sector -> sector.putLong(24, size).putInt(36, l1Size).putLong(40, l1Offset));
  }

  /** Has the header say another size in memory alone. */
  void pretend(long size) {
    header = header.withSize(size, header.l1Offset(), header.l1Size());
  }

  /** Has the header lead to another snapshot table, which is on stable storage. */
  void moveSnapshots(Storage file, long offset, int count) throws Qcow2Exception {
    change(
        file,
        header.withSnapshots(offset, count),
        sector -> sector.putInt(60, count).putLong(64, offset));
  }

  /**
   * Has the header name a backing file, or none. The header's extensions come before the name, so
   * this is a write of all of the first cluster, as QEMU's is.
   *
   * @param format recorded beside the name
   */
  void nameBacking(Storage file, Optional<String> name, Optional<String> format)
      throws Qcow2Exception {
    rewrite(file, header.withBacking(name, format));
  }

  /**
   * Has the header lead to a bitmap directory that is on stable storage, or to none. Where that
   * takes more than a write of one sector, the image says meanwhile that it has no bitmaps.
   *
   * @param data of the header extension
   */
  void setBitmaps(Storage file, Optional<byte[]> data) throws Qcow2Exception {
    Qcow2Header now = header;
    Qcow2Header next = now.withBitmaps(data);
    boolean had = (now.autoclear() & Features.BITMAPS) != 0;
    byte[] cluster = Bytes.read(file, 0, 1 << now.clusterBits());
    byte[] wanted = Arrays.copyOf(next.encode(), cluster.length);
    int first = Arrays.mismatch(cluster, wanted) / SECTOR;
    int last = cluster.length / SECTOR - 1;
    while (last > first && sameSector(cluster, wanted, last)) {
      last--;
    }
    if (had && (data.isEmpty() || last > first)) {
      setFeatures(file, now.incompatible(), now.autoclear() & ~Features.BITMAPS);
      // Its sector has changed with that.
      first = 0;
      wanted = Arrays.copyOf(header.withBitmaps(data).encode(), cluster.length);
    }
    Bytes.write(file, (long) first * SECTOR, wanted, first * SECTOR, (last - first + 1) * SECTOR);
    file.flush();
    header = header.withBitmaps(data);
    if (data.isPresent()) {
      setFeatures(file, now.incompatible(), now.autoclear() | Features.BITMAPS);
    }
  }

  private static boolean sameSector(byte[] one, byte[] other, int sector) {
    int from = sector * SECTOR;
    return Arrays.equals(one, from, from + SECTOR, other, from, from + SECTOR);
  }

  /** Has the header be one of another version, or with other compatible features. */
  void amend(Storage file, int version, long compatible) throws Qcow2Exception {
    rewrite(file, header.withVersion(version, compatible));
  }

  private void rewrite(Storage file, Qcow2Header next) throws Qcow2Exception {
    byte[] cluster = Arrays.copyOf(next.encode(), 1 << next.clusterBits());
    Bytes.write(file, 0, cluster);
    file.flush();
    header = next;
  }

  private void change(Storage file, Qcow2Header next, Consumer<ByteBuffer> edit)
      throws Qcow2Exception {
    byte[] sector = Bytes.read(file, 0, Qcow2Header.LEAST);
    edit.accept(ByteBuffer.wrap(sector));
    Bytes.write(file, 0, sector);
    file.flush();
    header = next;
  }
}
