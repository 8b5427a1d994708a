// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

/**
 * Enciphers and deciphers sectors, each by its number, so that the same data look different
 * elsewhere. Not thread-safe: one for each thread that works.
 */
interface SectorCipher {
  /** Bytes of a sector, whatever the disk below calls one. */
  int SECTOR = 512;

  /**
   * Enciphers a sector.
   *
   * @param sector its number, from 0
   * @param clear {@value #SECTOR} bytes from {@code at} on
   * @param result another array, which takes them at the same place
   */
  void encrypt(long sector, byte[] clear, byte[] result, int at);

  /** Deciphers a sector; parameters as in {@link #encrypt}. */
  void decrypt(long sector, byte[] secret, byte[] result, int at);

  /** Enciphers whole sectors where they are, the first of them number 0. */
  default void encrypt(byte[] data) {
    byte[] clear = data.clone();
    for (int at = 0; at < data.length; at += SECTOR) {
      encrypt(at / SECTOR, clear, data, at);
    }
  }

  /** Deciphers whole sectors where they are, the first of them number 0. */
  default void decrypt(byte[] data) {
    byte[] secret = data.clone();
    for (int at = 0; at < data.length; at += SECTOR) {
      decrypt(at / SECTOR, secret, data, at);
    }
  }
}
