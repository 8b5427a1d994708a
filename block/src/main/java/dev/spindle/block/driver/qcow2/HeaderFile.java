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
    Qcow2Header next = header.withBacking(name, format);
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
