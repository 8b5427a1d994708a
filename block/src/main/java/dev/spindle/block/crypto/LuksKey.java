// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;

/** The key of a LUKS disk, once a password has unlocked it. Immutable; any thread. */
public final class LuksKey {
  private final CipherSpec spec;
  private final byte[] key;

  LuksKey(CipherSpec spec, byte[] key) {
    this.spec = spec;
    this.key = key;
  }

  /** The key itself, to be kept in a slot. */
  byte[] bytes() {
    return key.clone();
  }

  /** A cipher for one thread. */
  SectorCipher open() {
    try {
      return spec.open(key);
    } catch (ImageException e) {
      throw new IllegalStateException("a cipher that there was before is gone", e);
    }
  }

  /**
   * Reads a header. Straight-line code.
   *
   * @param start where it begins in the file, in bytes
   */
  public static LuksHeader readHeader(ImageFile file, long start) throws ImageException {
    return LuksHeader.read(ByteBuffer.wrap(read(file, start, LuksHeader.BYTES)));
  }

  /**
   * Tries a password on all slots. Straight-line code, and slow: it is meant to be.
   *
   * @param start where the header begins in the file, in bytes
   * @throws ImageException if no slot opens, or nobody here knows the cipher
   */
  public static LuksKey unlock(ImageFile file, long start, LuksHeader header, byte[] password)
      throws ImageException {
    // Nobody is to wait for a password to be tried on what cannot be read.
    header.cipher().open(new byte[header.keyBytes()]);
    for (LuksHeader.Slot slot : header.slots()) {
      if (slot.password().isPresent()) {
        byte[] key = tryPassword(file, start, header, slot, password);
        if (isRight(header, key)) {
          return new LuksKey(header.cipher(), key);
        }
      }
    }
    throw new ImageException("Invalid password, cannot unlock any keyslot");
  }

  private static byte[] tryPassword(
      ImageFile file, long start, LuksHeader header, LuksHeader.Slot slot, byte[] password)
      throws ImageException {
    LuksHeader.Password way = slot.password().orElseThrow();
    byte[] slotKey =
        header.hash().pbkdf2(password, way.salt(), way.iterations(), header.keyBytes());
    long at = start + slot.materialSector() * SectorCipher.SECTOR;
    byte[] split = read(file, at, header.materialBytes());
    header.cipher().open(slotKey).decrypt(split);
    return AntiForensic.merge(header.hash(), split, LuksHeader.STRIPES);
  }

  private static boolean isRight(LuksHeader header, byte[] key) {
    byte[] digest =
        header
            .hash()
            .pbkdf2(key, header.digestSalt(), header.digestIterations(), LuksHeader.DIGEST);
    return MessageDigest.isEqual(digest, header.digest());
  }

  private static byte[] read(ImageFile file, long offset, int bytes) throws ImageException {
    return file.read(offset, bytes, ByteOrder.BIG_ENDIAN).bytes(0, bytes);
  }
}
