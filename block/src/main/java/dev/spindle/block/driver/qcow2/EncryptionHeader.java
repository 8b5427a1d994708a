// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Errno;
import java.nio.ByteBuffer;

/**
 * Where an encrypted image keeps its LUKS header, key material included: what the header extension
 * "Full disk encryption header pointer" of the specification says.
 *
 * @param offset in bytes; a multiple of the cluster size
 * @param length in bytes
 */
record EncryptionHeader(long offset, long length) {
  /** More than eight keys of the largest size take. */
  private static final long MOST = 16 << 20;

  private static final int BYTES = 16;

  /**
   * Reads the extension.
   *
   * @throws Qcow2Exception if it says what cannot be
   */
  static EncryptionHeader read(HeaderExtension extension, int clusterBits) throws Qcow2Exception {
    if (extension.data().length != BYTES) {
      throw new Qcow2Exception(
          Errno.EINVAL,
          "Encryption header extension has %d bytes instead of %d"
              .formatted(extension.data().length, BYTES));
    }
    ByteBuffer data = ByteBuffer.wrap(extension.data());
    long offset = data.getLong();
    long length = data.getLong();
    if (offset <= 0 || offset >= Geometry.HOST_END || (offset & (1L << clusterBits) - 1) != 0) {
      throw new Qcow2Exception(
          Errno.EINVAL,
          "Encryption header offset '%s' is not a multiple of cluster size '%d', or none of a file"
              .formatted(Long.toUnsignedString(offset), 1 << clusterBits));
    }
    if (length <= 0 || length > MOST) {
      throw new Qcow2Exception(
          Errno.EINVAL,
          "Encryption header of %s bytes; from 1 to %d are taken"
              .formatted(Long.toUnsignedString(length), MOST));
    }
    return new EncryptionHeader(offset, length);
  }

  HeaderExtension extension() {
    byte[] data = ByteBuffer.allocate(BYTES).putLong(offset).putLong(length).array();
    return new HeaderExtension(HeaderExtension.ENCRYPTION, data);
  }
}
