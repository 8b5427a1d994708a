// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.spindle.block.format.ImageException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The header of a LUKS disk, version 1 (LUKS On-Disk Format Specification 1.2.3, section 2).
 *
 * @param cipher how sectors are enciphered
 * @param hash the digest that keys are derived with
 * @param payloadSector where the data begin, in sectors of 512 bytes
 * @param keyBytes of the key that enciphers the data
 * @param digest by which that key is recognised; not to be changed
 * @param digestSalt what it is derived with; not to be changed
 * @param digestIterations how often
 * @param uuid as text
 * @param slots all {@value #SLOTS} of them, each for a password
 */
@SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
public record LuksHeader(
    CipherSpec cipher,
    LuksHash hash,
    long payloadSector,
    int keyBytes,
    byte[] digest,
    byte[] digestSalt,
    long digestIterations,
    String uuid,
    List<Slot> slots) {
  /** Bytes of a header, without the keys' material. */
  public static final int BYTES = 592;

  static final int SLOTS = 8;
  static final int STRIPES = 4000;
  static final int SALT = 32;
  static final int DIGEST = 20;

  /** What an image may ask for, at most: some minutes. */
  static final long MOST_ITERATIONS = 100_000_000;

  private static final byte[] MAGIC = {'L', 'U', 'K', 'S', (byte) 0xba, (byte) 0xbe};
  private static final int VERSION = 1;
  private static final int ENABLED = 0x00ac71f3;
  private static final int DISABLED = 0x0000dead;
  private static final int WORD = 32;
  private static final int UUID = 40;
  private static final int MOST_KEY_BYTES = 64;
  private static final long UNSIGNED = 0xffff_ffffL;

  /**
   * Room for the key as one password knows it.
   *
   * @param password what it needs of a password; empty while the slot is not in use
   * @param materialSector where the enciphered, spread key is, in sectors of 512 bytes
   */
  public record Slot(Optional<Password> password, long materialSector) {}

  /**
   * How a password becomes the key to a slot.
   *
   * @param salt not to be changed
   */
  @SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
  public record Password(long iterations, byte[] salt) {}

  /** Whether something begins as such a header does. */
  public static boolean isAt(ByteBuffer bytes) {
    if (bytes.remaining() < MAGIC.length + 2) {
      return false;
    }
    return bytes.slice(0, MAGIC.length).equals(ByteBuffer.wrap(MAGIC))
        && bytes.getShort(MAGIC.length) == VERSION;
  }

  /**
   * Reads a header.
   *
   * @param bytes {@value #BYTES} of them
   * @throws ImageException if it is none, or says what it must not
   */
  public static LuksHeader read(ByteBuffer bytes) throws ImageException {
    if (!isAt(bytes)) {
      throw new ImageException("No LUKS header of version 1");
    }
    bytes.position(MAGIC.length + 2);
    CipherSpec cipher = new CipherSpec(text(bytes, WORD), text(bytes, WORD));
    LuksHash hash = LuksHash.of(text(bytes, WORD));
    long payload = bytes.getInt() & UNSIGNED;
    int keyBytes = bytes.getInt();
    if (keyBytes <= 0 || keyBytes > MOST_KEY_BYTES) {
      throw new ImageException(
          "A LUKS key of " + Integer.toUnsignedString(keyBytes) + " bytes is not supported");
    }
    byte[] digest = take(bytes, DIGEST);
    byte[] digestSalt = take(bytes, SALT);
    long digestIterations = iterations(bytes.getInt());
    String uuid = text(bytes, UUID);
    List<Slot> slots = new ArrayList<>();
    for (int i = 0; i < SLOTS; i++) {
      slots.add(slot(bytes, i));
    }
    LuksHeader header =
        new LuksHeader(
            cipher, hash, payload, keyBytes, digest, digestSalt, digestIterations, uuid, slots);
    header.checkSlots();
    return header;
  }

  private static Slot slot(ByteBuffer bytes, int number) throws ImageException {
    int state = bytes.getInt();
    int iterations = bytes.getInt();
    byte[] salt = take(bytes, SALT);
    long sector = bytes.getInt() & UNSIGNED;
    int stripes = bytes.getInt();
    if (state != ENABLED && state != DISABLED) {
      throw new ImageException(
          "Key slot %d is neither in use nor free (state 0x%x)".formatted(number, state));
    }
    if (stripes != STRIPES) {
      throw new ImageException(
          "Key slot %d has %s stripes, where LUKS has %d"
              .formatted(number, Integer.toUnsignedString(stripes), STRIPES));
    }
    return new Slot(
        state == ENABLED
            ? Optional.of(new Password(iterations(iterations), salt))
            : Optional.empty(),
        sector);
  }

  private static long iterations(int value) throws ImageException {
    long iterations = value & UNSIGNED;
    if (iterations == 0 || iterations > MOST_ITERATIONS) {
      throw new ImageException(
          "%d iterations for a key; from 1 to %d are taken".formatted(iterations, MOST_ITERATIONS));
    }
    return iterations;
  }

  /** No slot reaches into the header, another slot or the data. */
  private void checkSlots() throws ImageException {
    for (int i = 0; i < SLOTS; i++) {
      long start = slots.get(i).materialSector();
      long end = start + materialSectors(keyBytes);
      if (start * SectorCipher.SECTOR < BYTES) {
        throw new ImageException("Key slot " + i + " overlaps the LUKS header");
      }
      if (payloadSector > 0 && end > payloadSector) {
        throw new ImageException("Key slot " + i + " overlaps the data");
      }
      for (int j = 0; j < i; j++) {
        long other = slots.get(j).materialSector();
        if (start < other + materialSectors(keyBytes) && other < end) {
          throw new ImageException("Key slots " + j + " and " + i + " overlap");
        }
      }
    }
  }

  /** Sectors that a spread key takes. */
  static long materialSectors(int keyBytes) {
    return ((long) keyBytes * STRIPES + SectorCipher.SECTOR - 1) / SectorCipher.SECTOR;
  }

  /** Where the data begin, in bytes. */
  public long payloadOffset() {
    return payloadSector * SectorCipher.SECTOR;
  }

  /** What there is to say of it, by the names of QAPI's QCryptoBlockInfoLUKS. */
  public Map<String, Object> describe() {
    Map<String, Object> words = new LinkedHashMap<>();
    words.put("ivgen-alg", cipher.vector());
    words.put("hash-alg", hash.word());
    words.put("cipher-alg", cipher.algorithm(keyBytes));
    words.put("uuid", uuid);
    cipher.vectorHash().ifPresent(digestName -> words.put("ivgen-hash-alg", digestName));
    words.put("cipher-mode", cipher.blockMode());
    List<Object> all = new ArrayList<>();
    for (Slot slot : slots) {
      Map<String, Object> one = new LinkedHashMap<>();
      one.put("active", slot.password().isPresent());
      slot.password().ifPresent(password -> one.put("iters", password.iterations()));
      one.put("key-offset", slot.materialSector() * SectorCipher.SECTOR);
      slot.password().ifPresent(password -> one.put("stripes", (long) STRIPES));
      all.add(one);
    }
    words.put("slots", all);
    words.put("payload-offset", payloadOffset());
    words.put("master-key-iters", digestIterations);
    return words;
  }

  /** Bytes of a slot's key material. */
  int materialBytes() {
    return keyBytes * STRIPES;
  }

  /** The header as it is on disk. */
  byte[] bytes() {
    ByteBuffer bytes = ByteBuffer.allocate(BYTES);
    bytes.put(MAGIC).putShort((short) VERSION);
    put(bytes, cipher.name(), WORD);
    put(bytes, cipher.mode(), WORD);
    put(bytes, hash.word(), WORD);
    bytes.putInt((int) payloadSector).putInt(keyBytes);
    bytes.put(digest).put(digestSalt).putInt((int) digestIterations);
    put(bytes, uuid, UUID);
    for (Slot slot : slots) {
      bytes.putInt(slot.password().isPresent() ? ENABLED : DISABLED);
      bytes.putInt(slot.password().map(Password::iterations).orElse(0L).intValue());
      bytes.put(slot.password().map(Password::salt).orElse(new byte[SALT]));
      bytes.putInt((int) slot.materialSector()).putInt(STRIPES);
    }
    return bytes.array();
  }

  private static byte[] take(ByteBuffer bytes, int length) {
    byte[] taken = new byte[length];
    bytes.get(taken);
    return taken;
  }

  private static String text(ByteBuffer bytes, int length) throws ImageException {
    byte[] field = take(bytes, length);
    int end = 0;
    while (end < length && field[end] != 0) {
      if (field[end] < ' ' || field[end] > '~') {
        throw new ImageException("A name in the LUKS header is no text");
      }
      end++;
    }
    return new String(field, 0, end, US_ASCII);
  }

  private static void put(ByteBuffer bytes, String text, int length) {
    byte[] field = text.getBytes(US_ASCII);
    bytes.put(field).put(new byte[length - field.length]);
  }
}
