// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import dev.spindle.block.format.ImageException;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Locale;
import javax.crypto.Mac;
import javax.crypto.ShortBufferException;
import javax.crypto.spec.SecretKeySpec;

/** The digests that LUKS headers name. */
enum LuksHash {
  SHA1("SHA-1", "HmacSHA1"),
  SHA224("SHA-224", "HmacSHA224"),
  SHA256("SHA-256", "HmacSHA256"),
  SHA384("SHA-384", "HmacSHA384"),
  SHA512("SHA-512", "HmacSHA512");

  private final String digest;
  private final String mac;

  LuksHash(String digest, String mac) {
    this.digest = digest;
    this.mac = mac;
  }

  /** As headers spell it. */
  String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Finds one.
   *
   * @throws ImageException if nobody here knows it
   */
  static LuksHash of(String word) throws ImageException {
    for (LuksHash hash : values()) {
      if (hash.word().equals(word)) {
        return hash;
      }
    }
    throw new ImageException("The digest '" + word + "' is not supported");
  }

  MessageDigest digest() {
    try {
      return MessageDigest.getInstance(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this JDK has no " + digest, e);
    }
  }

  /**
   * Makes a key of a password (PBKDF2, RFC 8018, section 5.2). The JDK's own takes only passwords
   * that are text, and LUKS also derives from keys.
   *
   * @param iterations 1 or more: each takes a microsecond, more or less
   */
  byte[] pbkdf2(byte[] password, byte[] salt, long iterations, int bytes) {
    Mac function = mac(password);
    byte[] key = new byte[bytes];
    byte[] sum = new byte[function.getMacLength()];
    byte[] last = new byte[sum.length];
    try {
      for (int block = 0; block * sum.length < bytes; block++) {
        function.update(salt);
        AntiForensic.number(function::update, block + 1);
        function.doFinal(last, 0);
        System.arraycopy(last, 0, sum, 0, sum.length);
        for (long i = 1; i < iterations; i++) {
          function.update(last);
          function.doFinal(last, 0);
          for (int at = 0; at < sum.length; at++) {
            sum[at] ^= last[at];
          }
        }
        int at = block * sum.length;
        System.arraycopy(sum, 0, key, at, Math.min(sum.length, bytes - at));
      }
    } catch (ShortBufferException e) {
      throw new IllegalStateException("a MAC is longer than it says", e);
    }
    return key;
  }

  private Mac mac(byte[] password) {
    try {
      Mac function = Mac.getInstance(mac);
      // HMAC fills a short key up with zeroes; the JDK wants at least one byte of it.
      byte[] key = password.length == 0 ? new byte[1] : password;
      function.init(new SecretKeySpec(Arrays.copyOf(key, key.length), mac));
      return function;
    } catch (NoSuchAlgorithmException | InvalidKeyException e) {
      throw new IllegalStateException("this JDK has no " + mac, e);
    }
  }
}
