// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import static dev.spindle.block.driver.vhdx.VhdxHeader.MIB;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.CreateOption.Kind;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Makes VHDX images, {@code subformat=dynamic} or {@code fixed}, with sectors of 512 bytes. */
public final class VhdxCreator implements ImageCreator {
  private static final int SECTOR = 512;
  private static final long LOG_OFFSET = MIB;
  private static final long DEFAULT_BLOCK = 8 * MIB;
  private static final long DEFAULT_LARGE_BLOCK = 32 * MIB;
  private static final long LARGE = 1L << 40;
  private static final int PIECE = 64 << 10;
  private static final int ENTRY = 8;
  private static final long NOT_PRESENT = 0;
  private static final long ZERO = 2;
  private static final long FULLY_PRESENT = 6;

  @Override
  public String driver() {
    return "vhdx";
  }

  @Override
  public List<CreateOption> toolOptions() {
    return List.of(
        CreateOption.size(),
        CreateOption.of("log_size", Kind.SIZE, "bytes of the log, whole MiB").otherwise("1048576"),
        CreateOption.of("block_size", Kind.SIZE, "from 1M to 256M; 0: as the size needs it")
            .otherwise("0")
            .words(size -> size.matches("0+") ? Map.of() : Map.of("block-size", size)),
        CreateOption.of("subformat", Kind.TEXT, "dynamic (where none is given) or fixed"),
        CreateOption.of(
            "block_state_zero",
            Kind.BOOL,
            "whether blocks are said to be zero from the beginning"));
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long size = ImageCreator.takeSize(options);
    long block = options.size("block-size", size > LARGE ? DEFAULT_LARGE_BLOCK : DEFAULT_BLOCK);
    long log = options.size("log-size", MIB);
    boolean zero = options.bool("block-state-zero", true);
    boolean fixed = options.choice("subformat", "dynamic", "dynamic", "fixed").equals("fixed");
    if (size > VhdxMetadata.MOST_SIZE) {
      throw new OptionException(
          "%s: a VHDX image has %d bytes at most"
              .formatted(options.owner(), VhdxMetadata.MOST_SIZE));
    }
    if (Long.bitCount(block) != 1 || block < MIB || block > VhdxMetadata.MOST_BLOCK) {
      throw new OptionException(
          "%s: parameter 'block-size' is %d, expected a power of two from 1M to 256M"
              .formatted(options.owner(), block));
    }
    if (log < MIB || log > VhdxHeader.MOST_LOG || log % MIB != 0) {
      throw new OptionException(
          "%s: parameter 'log-size' is %d, expected whole MiB up to %d"
              .formatted(options.owner(), log, VhdxHeader.MOST_LOG));
    }
    VhdxMetadata metadata = new VhdxMetadata(size, block, SECTOR);
    return (file, objects) -> write(file, metadata, log, fixed, zero ? ZERO : NOT_PRESENT);
  }

  private static void write(
      ImageFile file, VhdxMetadata metadata, long log, boolean fixed, long state)
      throws ImageException {
    long blocks = metadata.blocks();
    long entries = blocks == 0 ? 1 : blocks + (blocks - 1) / metadata.chunkRatio();
    long tableBytes = (entries * ENTRY + MIB - 1) / MIB * MIB;
    long metadataOffset = LOG_OFFSET + log;
    long tableOffset = metadataOffset + MIB;
    long data = tableOffset + tableBytes;
    file.resize(fixed ? data + blocks * metadata.block() : data);
    Fields id = Fields.zeroes(SECTOR, ByteOrder.LITTLE_ENDIAN).put(0, "vhdxfile");
    file.write(0, id.put(8, "Spindle".getBytes(StandardCharsets.UTF_16LE)));
    file.write(metadataOffset, metadata.table());
    for (long place : VhdxRegions.PLACES) {
      file.write(place, VhdxRegions.table(tableOffset, tableBytes, metadataOffset, MIB));
    }
    if (fixed || state != NOT_PRESENT) {
      writeTable(file, metadata, entries, tableOffset, fixed ? data : -1);
    }
    UUID fileGuid = UUID.randomUUID();
    UUID dataGuid = UUID.randomUUID();
    file.write(VhdxHeader.FIRST, VhdxHeader.fields(1, fileGuid, dataGuid, LOG_OFFSET, log));
    file.write(VhdxHeader.SECOND, VhdxHeader.fields(2, fileGuid, dataGuid, LOG_OFFSET, log));
  }

  /**
   * Writes the table.
   *
   * @param data where the first block is, if they have room, in bytes; else they are zero
   */
  private static void writeTable(
      ImageFile file, VhdxMetadata metadata, long entries, long tableOffset, long data)
      throws ImageException {
    long block = 0;
    for (long first = 0; first < entries; first += PIECE / ENTRY) {
      int count = (int) Math.min(PIECE / ENTRY, entries - first);
      Fields part = Fields.zeroes(count * ENTRY, ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < count && block < metadata.blocks(); i++) {
        boolean isBlock = (first + i + 1) % (metadata.chunkRatio() + 1) != 0;
        if (isBlock) {
          part.put64(i * ENTRY, data < 0 ? ZERO : data + block * metadata.block() | FULLY_PRESENT);
          block++;
        }
      }
      file.write(tableOffset + first * ENTRY, part);
    }
  }
}
