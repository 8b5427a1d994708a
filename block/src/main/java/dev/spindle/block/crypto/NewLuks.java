// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import static dev.spindle.block.crypto.SectorCipher.SECTOR;

import dev.spindle.block.crypto.LuksHeader.Password;
import dev.spindle.block.crypto.LuksHeader.Slot;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.CreateOption.Kind;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.ByteOrder;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;

/**
 * What a new LUKS disk is to be (QAPI's QCryptoBlockCreateOptionsLUKS).
 *
 * @param cipher how sectors are enciphered
 * @param hash the digest that keys are derived with
 * @param keyBytes of the key
 * @param iterationTime how long a password may take to be tried, ms
 */
public record NewLuks(CipherSpec cipher, LuksHash hash, int keyBytes, long iterationTime) {
  /** Where keys' material is aligned to, as QEMU and cryptsetup align it. */
  private static final int ALIGNMENT = 4096;

  private static final long LEAST_ITERATIONS = 1000;

  /** The key is found by its digest after a slot's password has been tried: that takes less. */
  private static final int DIGEST_SHARE = 8;

  private static final long DEFAULT_TIME = 2000;
  private static final long MOST_TIME = 600_000;

  /** How long deriving a key is measured, ms: the compiler is to have done its work by then. */
  private static final long LEAST_MEASURED = 50;

  private static final long MOST_MEASURED = 500;

  /**
   * Takes {@code cipher-alg}, {@code cipher-mode}, {@code ivgen-alg}, {@code ivgen-hash-alg},
   * {@code hash-alg} and {@code iter-time}.
   *
   * @throws OptionException if one has no such value, or they do not go together
   */
  public static NewLuks take(Options options) throws OptionException {
    String algorithm = options.choice("cipher-alg", "aes-256", "aes-128", "aes-256");
    String mode = options.choice("cipher-mode", "xts", "xts", "cbc");
    String vector = options.choice("ivgen-alg", "plain64", "plain", "plain64", "essiv");
    Optional<String> vectorHash = options.string("ivgen-hash-alg");
    String hash =
        options.choice("hash-alg", "sha256", "sha1", "sha224", "sha256", "sha384", "sha512");
    long time = options.number("iter-time", DEFAULT_TIME, 1, MOST_TIME);
    boolean essiv = vector.equals("essiv");
    if (essiv && vectorHash.isEmpty() && !options.isNoting()) {
      throw options.missing("ivgen-hash-alg");
    }
    int bytes = algorithm.equals("aes-256") ? 32 : 16;
    NewLuks wanted =
        new NewLuks(
            new CipherSpec("aes", mode + "-" + vector + (essiv ? ":" + vectorHash.orElse("") : "")),
            LuksHash.valueOf(hash.toUpperCase(Locale.ROOT)),
            mode.equals("xts") ? 2 * bytes : bytes,
            time);
    try {
      if (!options.isNoting()) {
        wanted.cipher.open(new byte[wanted.keyBytes]);
      }
    } catch (ImageException e) {
      throw new OptionException(options.owner() + ": " + e.getMessage());
    }
    return wanted;
  }

  /**
   * The options of tools for it, the password's included.
   *
   * @param prefix of what they are nested in, with its dot; may be empty
   */
  public static List<CreateOption> toolOptions(String prefix) {
    return List.of(
        CreateOption.of(
            prefix + LuksPassword.KEY_SECRET, Kind.TEXT, "id of the secret that is the password"),
        CreateOption.of(prefix + "cipher-alg", Kind.TEXT, "block cipher: aes-128, aes-256"),
        CreateOption.of(prefix + "cipher-mode", Kind.TEXT, "its mode: xts, cbc"),
        CreateOption.of(prefix + "ivgen-alg", Kind.TEXT, "vectors: plain, plain64, essiv"),
        CreateOption.of(prefix + "ivgen-hash-alg", Kind.TEXT, "digest for essiv: sha256"),
        CreateOption.of(prefix + "hash-alg", Kind.TEXT, "digest that derives keys: sha1 to sha512"),
        CreateOption.of(prefix + "iter-time", Kind.NUMBER, "ms that trying a password is to take"));
  }

  /** Bytes before the data. */
  public long payloadOffset() {
    return (1 + LuksHeader.SLOTS * slotPages()) * ALIGNMENT;
  }

  private long slotPages() {
    return (LuksHeader.materialSectors(keyBytes) * SECTOR + ALIGNMENT - 1) / ALIGNMENT;
  }

  /**
   * Writes a header with a new key, which a password unlocks. Straight-line code; takes some times
   * {@link #iterationTime}.
   *
   * @param start where the header is to be in the file, in bytes
   */
  public LuksKey write(ImageFile file, long start, byte[] password) throws ImageException {
    SecureRandom random = new SecureRandom();
    byte[] key = random(random, keyBytes);
    long slotIterations = slotIterations();
    byte[] digestSalt = random(random, LuksHeader.SALT);
    long digestIterations = Math.max(LEAST_ITERATIONS, slotIterations / DIGEST_SHARE);
    byte[] digest = hash.pbkdf2(key, digestSalt, digestIterations, LuksHeader.DIGEST);
    byte[] salt = random(random, LuksHeader.SALT);
    List<Slot> slots = new ArrayList<>();
    for (int i = 0; i < LuksHeader.SLOTS; i++) {
      long sector = (1 + i * slotPages()) * ALIGNMENT / SECTOR;
      slots.add(
          new Slot(
              i == 0 ? Optional.of(new Password(slotIterations, salt)) : Optional.empty(), sector));
    }
    LuksHeader header =
        new LuksHeader(
            cipher,
            hash,
            payloadOffset() / SECTOR,
            keyBytes,
            digest,
            digestSalt,
            digestIterations,
            UUID.randomUUID().toString(),
            slots);
    byte[] split = AntiForensic.split(hash, key, LuksHeader.STRIPES, random);
    cipher.open(hash.pbkdf2(password, salt, slotIterations, keyBytes)).encrypt(split);
    put(file, start + slots.getFirst().materialSector() * SECTOR, split);
    // Last: without it nothing is there.
    put(file, start, header.bytes());
    return new LuksKey(cipher, key);
  }

  private static void put(ImageFile file, long offset, byte[] bytes) throws ImageException {
    file.write(offset, Fields.zeroes(bytes.length, ByteOrder.BIG_ENDIAN).put(0, bytes));
  }

  private static byte[] random(SecureRandom random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  /** As many as take the time that was asked for here. */
  private long slotIterations() {
    byte[] sample = new byte[LuksHeader.SALT];
    long enough = 1_000_000 * Math.clamp(iterationTime / 4, LEAST_MEASURED, MOST_MEASURED);
    for (long count = LEAST_ITERATIONS; ; count *= 2) {
      long begin = System.nanoTime();
      hash.pbkdf2(sample, sample, count, keyBytes);
      long took = System.nanoTime() - begin;
      if (took >= enough) {
        long wanted = (long) ((double) count * iterationTime * 1_000_000 / took);
        return Math.clamp(wanted, LEAST_ITERATIONS, LuksHeader.MOST_ITERATIONS);
      }
    }
  }
}
