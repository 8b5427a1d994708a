// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import dev.spindle.block.format.ImageException;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.ShortBufferException;

/**
 * How the sectors of a disk are enciphered, in the words of LUKS's specification: {@code aes},
 * {@code xts-plain64}.
 *
 * @param name of the block cipher; only aes is known here
 * @param mode its mode, and how a sector's number is used in it
 */
record CipherSpec(String name, String mode) {
  /** What new disks are enciphered with, as QEMU does. */
  static final CipherSpec AES_XTS = new CipherSpec("aes", "xts-plain64");

  private static final Pattern MODE =
      Pattern.compile("(xts|cbc)-(plain|plain64|essiv)(?::([a-z0-9]+))?");

  /** The digests that are as long as a key of AES: SHA-256 alone. */
  private static final int VECTOR_KEY = 32;

  /** {@code plain} knows only so much of a sector's number. */
  private static final long PLAIN = 0xffff_ffffL;

  /**
   * Makes a cipher, one for each thread that works.
   *
   * @param key the whole of it: for XTS both halves
   * @throws ImageException if nobody here knows such a cipher, or the key has another length
   */
  SectorCipher open(byte[] key) throws ImageException {
    Matcher words = MODE.matcher(mode);
    if (!name.equals("aes") || !words.matches()) {
      throw unknown();
    }
    boolean xts = blockMode().equals("xts");
    boolean essiv = vector().equals("essiv");
    if (essiv != vectorHash().isPresent() || (essiv && xts)) {
      throw unknown();
    }
    int bytes = xts ? key.length / 2 : key.length;
    if ((bytes != 16 && bytes != 32) || (xts && key.length % 2 != 0)) {
      throw new ImageException(
          "The cipher '%s-%s' has no keys of %d bytes".formatted(name, mode, key.length));
    }
    long mask = vector().equals("plain") ? PLAIN : -1;
    if (xts) {
      return new XtsCipher(key, mask);
    }
    return new CbcCipher(key, essiv ? vectorKey(vectorHash().get(), key) : null, mask);
  }

  private ImageException unknown() {
    return new ImageException("The cipher '%s-%s' is not supported".formatted(name, mode));
  }

  /** As QAPI's QCryptoCipherAlgorithm spells it: {@code aes-256}. */
  String algorithm(int keyBytes) {
    return name + "-" + (blockMode().equals("xts") ? keyBytes / 2 : keyBytes) * Byte.SIZE;
  }

  /** {@code xts}, {@code cbc}; all of the mode where it is none of those. */
  String blockMode() {
    return part(1).orElse(mode);
  }

  /** {@code plain64}, {@code essiv}, ... */
  String vector() {
    return part(2).orElse("");
  }

  /** What {@code essiv} digests the key with. */
  Optional<String> vectorHash() {
    return part(3);
  }

  private Optional<String> part(int number) {
    Matcher words = MODE.matcher(mode);
    return words.matches() ? Optional.ofNullable(words.group(number)) : Optional.empty();
  }

  private byte[] vectorKey(String digest, byte[] key) throws ImageException {
    byte[] hash = LuksHash.of(digest).digest().digest(key);
    if (hash.length != VECTOR_KEY) {
      throw unknown();
    }
    return hash;
  }

  /** A cipher of the JDK's that is yet to be told its key. */
  static Cipher aes(String mode) throws ImageException {
    try {
      return Cipher.getInstance("AES/" + mode + "/NoPadding");
    } catch (GeneralSecurityException e) {
      throw new ImageException("This JDK has no AES in " + mode + " mode");
    }
  }

  static Cipher aes(String mode, int direction, Key key) throws ImageException {
    Cipher cipher = aes(mode);
    try {
      cipher.init(direction, key);
    } catch (GeneralSecurityException e) {
      throw new ImageException("This JDK takes no AES keys of that length");
    }
    return cipher;
  }

  /** Enciphers or deciphers whole blocks, which never need more room than they have. */
  static void update(Cipher cipher, byte[] from, int at, int length, byte[] to, int toAt) {
    try {
      cipher.update(from, at, length, to, toAt);
    } catch (ShortBufferException e) {
      throw new IllegalStateException("a block cipher wants more room than its blocks have", e);
    }
  }
}
