// SPDX-License-Identifier: Apache-2.0

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskFilter;
import dev.spindle.block.plugin.NextDisk;
import dev.spindle.block.plugin.ThreadModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * A filter that keeps a disk encrypted, as dm-crypt does with {@code aes-cbc-essiv:sha256}: {@code
 * driver=java,source=Encrypt.java,file=NODE,key-file=FILE}, with a key of 16 or 32 bytes. It hides
 * what the disk holds; it does not notice if somebody changes it.
 */
public final class Encrypt implements DiskFilter {
  private static final int SECTOR = 512;

  private Path keyFile;
  private SecretKeySpec key;

  /** Makes initialisation vectors that nobody can foretell. */
  private SecretKeySpec vectorKey;

  @Override
  public void configure(Options options) throws OptionException {
    keyFile = Path.of(options.require("key-file"));
  }

  @Override
  public void open() throws Exception {
    byte[] bytes = Files.readAllBytes(keyFile);
    key = new SecretKeySpec(bytes, "AES");
    vectorKey = new SecretKeySpec(MessageDigest.getInstance("SHA-256").digest(bytes), "AES");
  }

  @Override
  public ThreadModel threadModel() {
    return ThreadModel.PARALLEL;
  }

  @Override
  public int blockSize() {
    return SECTOR;
  }

  @Override
  public void read(NextDisk next, MemorySegment data, long offset) throws Exception {
    byte[] secret = new byte[(int) data.byteSize()];
    next.read(MemorySegment.ofArray(secret), offset);
    MemorySegment.copy(
        transform(Cipher.DECRYPT_MODE, secret, offset),
        0,
        data,
        ValueLayout.JAVA_BYTE,
        0,
        secret.length);
  }

  @Override
  public void write(NextDisk next, MemorySegment data, long offset) throws Exception {
    byte[] plain = data.toArray(ValueLayout.JAVA_BYTE);
    next.write(MemorySegment.ofArray(transform(Cipher.ENCRYPT_MODE, plain, offset)), offset);
  }

  private byte[] transform(int mode, byte[] input, long offset) throws GeneralSecurityException {
    Cipher vectors = Cipher.getInstance("AES/ECB/NoPadding");
    vectors.init(Cipher.ENCRYPT_MODE, vectorKey);
    Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding");
    byte[] output = new byte[input.length];
    for (int at = 0; at < input.length; at += SECTOR) {
      ByteBuffer sector = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
      sector.putLong(0, (offset + at) / SECTOR);
      cipher.init(mode, key, new IvParameterSpec(vectors.doFinal(sector.array())));
      cipher.doFinal(input, at, SECTOR, output, at);
    }
    return output;
  }
}
