// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import dev.spindle.block.format.ImageException;
import java.security.InvalidAlgorithmParameterException;
import java.security.InvalidKeyException;
import java.security.Key;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * AES in CBC mode, each sector beginning with a vector made of its number: {@code cbc-plain},
 * {@code cbc-plain64}, and {@code cbc-essiv}, which enciphers the number with a digest of the key.
 * For images that there are; new ones are better made with XTS.
 */
final class CbcCipher implements SectorCipher {
  private static final int BLOCK = 16;

  private final Key key;
  private final Cipher cipher;
  private final Cipher vectorCipher;
  private final long numberMask;
  private final byte[] vector = new byte[BLOCK];

  /**
   * Takes the keys.
   *
   * @param key 16, 24 or 32 bytes
   * @param vectorKey as long, or null where the number itself is the vector
   * @param numberMask what of a sector's number counts
   */
  CbcCipher(byte[] key, byte[] vectorKey, long numberMask) throws ImageException {
    this.key = new SecretKeySpec(key, "AES");
    this.cipher = CipherSpec.aes("CBC");
    this.vectorCipher =
        vectorKey == null
            ? null
            : CipherSpec.aes("ECB", Cipher.ENCRYPT_MODE, new SecretKeySpec(vectorKey, "AES"));
    this.numberMask = numberMask;
  }

  @Override
  public void encrypt(long sector, byte[] clear, byte[] result, int at) {
    begin(Cipher.ENCRYPT_MODE, sector);
    CipherSpec.update(cipher, clear, at, SECTOR, result, at);
  }

  @Override
  public void decrypt(long sector, byte[] secret, byte[] result, int at) {
    begin(Cipher.DECRYPT_MODE, sector);
    CipherSpec.update(cipher, secret, at, SECTOR, result, at);
  }

  private void begin(int mode, long sector) {
    long number = sector & numberMask;
    Arrays.fill(vector, (byte) 0);
    for (int i = 0; i < Long.BYTES; i++) {
      vector[i] = (byte) (number >>> (i * Byte.SIZE));
    }
    byte[] first = vector;
    if (vectorCipher != null) {
      first = new byte[BLOCK];
      CipherSpec.update(vectorCipher, vector, 0, BLOCK, first, 0);
    }
    try {
      cipher.init(mode, key, new IvParameterSpec(first));
    } catch (InvalidKeyException | InvalidAlgorithmParameterException e) {
      throw new IllegalStateException("a key that was taken before is refused", e);
    }
  }
}
