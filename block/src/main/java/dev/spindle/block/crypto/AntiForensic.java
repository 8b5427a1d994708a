// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;

/**
 * Spreads a key over many stripes, of which none may be missing, so that overwriting any of them
 * destroys it (LUKS On-Disk Format Specification 1.2.3, section 2.4).
 */
final class AntiForensic {
  /** Takes bytes in. */
  @FunctionalInterface
  interface Sink {
    void put(byte[] bytes);
  }

  private AntiForensic() {}

  /** Puts a number as four bytes, the highest first. */
  static void number(Sink sink, int number) {
    sink.put(
        new byte[] {
          (byte) (number >>> 24), (byte) (number >>> 16), (byte) (number >>> 8), (byte) number
        });
  }

  /** Spreads a key. */
  static byte[] split(LuksHash hash, byte[] key, int stripes, SecureRandom random) {
    byte[] split = new byte[key.length * stripes];
    random.nextBytes(split);
    byte[] mixed = mixed(hash, split, key.length, stripes);
    for (int i = 0; i < key.length; i++) {
      split[split.length - key.length + i] = (byte) (mixed[i] ^ key[i]);
    }
    return split;
  }

  /** Puts it together again. */
  static byte[] merge(LuksHash hash, byte[] split, int stripes) {
    int length = split.length / stripes;
    byte[] key = mixed(hash, split, length, stripes);
    for (int i = 0; i < length; i++) {
      key[i] ^= split[split.length - length + i];
    }
    return key;
  }

  /** All stripes but the last, each mixed into what comes of those before. */
  private static byte[] mixed(LuksHash hash, byte[] split, int length, int stripes) {
    MessageDigest digest = hash.digest();
    byte[] mixed = new byte[length];
    for (int stripe = 0; stripe < stripes - 1; stripe++) {
      for (int i = 0; i < length; i++) {
        mixed[i] ^= split[stripe * length + i];
      }
      diffuse(digest, mixed);
    }
    return mixed;
  }

  private static void diffuse(MessageDigest digest, byte[] bytes) {
    int size = digest.getDigestLength();
    for (int at = 0, piece = 0; at < bytes.length; at += size, piece++) {
      int length = Math.min(size, bytes.length - at);
      number(digest::update, piece);
      digest.update(bytes, at, length);
      System.arraycopy(Arrays.copyOf(digest.digest(), length), 0, bytes, at, length);
    }
  }
}
