// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import dev.spindle.block.format.ImageException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;

/**
 * AES in XTS mode (IEEE 1619-2007; NIST SP 800-38E) with the sector's number as the tweak: {@code
 * xts-plain64}. The JDK has the block cipher, not the mode.
 */
final class XtsCipher implements SectorCipher {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int BLOCK = 16;

  /** What x^128 is, modulo the field's polynomial. */
  private static final long POLYNOMIAL = 0x87;

  private final Cipher encryptor;
  private final Cipher decryptor;
  private final Cipher tweaker;
  private final long numberMask;

  private final byte[] number = new byte[BLOCK];
  private final byte[] tweaks = new byte[SECTOR];
  private final byte[] work = new byte[SECTOR];

  /**
   * Takes both keys, one behind the other.
   *
   * @param key 32 or 64 bytes, whose halves differ or the mode is not safe
   * @param numberMask what of a sector's number counts
   */
  XtsCipher(byte[] key, long numberMask) throws ImageException {
    byte[] data = Arrays.copyOf(key, key.length / 2);
    byte[] tweak = Arrays.copyOfRange(key, key.length / 2, key.length);
    this.encryptor = CipherSpec.aes("ECB", Cipher.ENCRYPT_MODE, new SecretKeySpec(data, "AES"));
    this.decryptor = CipherSpec.aes("ECB", Cipher.DECRYPT_MODE, new SecretKeySpec(data, "AES"));
    this.tweaker = CipherSpec.aes("ECB", Cipher.ENCRYPT_MODE, new SecretKeySpec(tweak, "AES"));
    this.numberMask = numberMask;
  }

  @Override
  public void encrypt(long sector, byte[] clear, byte[] result, int at) {
    run(encryptor, sector, clear, result, at);
  }

  @Override
  public void decrypt(long sector, byte[] secret, byte[] result, int at) {
    run(decryptor, sector, secret, result, at);
  }

  private void run(Cipher cipher, long sector, byte[] from, byte[] to, int at) {
    makeTweaks(sector);
    for (int i = 0; i < SECTOR; i += Long.BYTES) {
      LONG.set(work, i, (long) LONG.get(from, at + i) ^ (long) LONG.get(tweaks, i));
    }
    CipherSpec.update(cipher, work, 0, SECTOR, to, at);
    for (int i = 0; i < SECTOR; i += Long.BYTES) {
      LONG.set(to, at + i, (long) LONG.get(to, at + i) ^ (long) LONG.get(tweaks, i));
    }
  }

  /** Each block's tweak is the one before times x. */
  private void makeTweaks(long sector) {
    LONG.set(number, 0, sector & numberMask);
    CipherSpec.update(tweaker, number, 0, BLOCK, tweaks, 0);
    long low = (long) LONG.get(tweaks, 0);
    long high = (long) LONG.get(tweaks, Long.BYTES);
    for (int i = BLOCK; i < SECTOR; i += BLOCK) {
      long carried = (high >> (Long.SIZE - 1)) & POLYNOMIAL;
      high = (high << 1) | (low >>> (Long.SIZE - 1));
      low = (low << 1) ^ carried;
      LONG.set(tweaks, i, low);
      LONG.set(tweaks, i + Long.BYTES, high);
    }
  }
}
