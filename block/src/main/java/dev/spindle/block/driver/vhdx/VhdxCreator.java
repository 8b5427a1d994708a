// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import static dev.spindle.block.driver.vhdx.VhdxHeader.MIB;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/** Makes VHDX images, {@code subformat=dynamic} or {@code fixed}, with sectors of 512 bytes. */
public final class VhdxCreator implements ImageCreator {
  private static final int SECTOR = 512;
  private static final long METADATA_OFFSET = 2 * MIB;
  private static final long TABLE_OFFSET = 3 * MIB;
  private static final long DEFAULT_BLOCK = 8 * MIB;
  private static final long DEFAULT_LARGE_BLOCK = 32 * MIB;
  private static final long LARGE = 1L << 40;
  private static final int PIECE = 64 << 10;
  private static final int ENTRY = 8;
  private static final long FULLY_PRESENT = 6;

  @Override
  public String driver() {
    return "vhdx";
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long size = ImageCreator.takeSize(options);
    long block = options.size("block-size", size > LARGE ? DEFAULT_LARGE_BLOCK : DEFAULT_BLOCK);
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
    VhdxMetadata metadata = new VhdxMetadata(size, block, SECTOR);
    return file -> write(file, metadata, fixed);
  }

  private static void write(ImageFile file, VhdxMetadata metadata, boolean fixed)
      throws ImageException {
    long blocks = metadata.blocks();
    long entries = blocks == 0 ? 1 : blocks + (blocks - 1) / metadata.chunkRatio();
    long tableBytes = (entries * ENTRY + MIB - 1) / MIB * MIB;
    long data = TABLE_OFFSET + tableBytes;
    file.resize(fixed ? data + blocks * metadata.block() : data);
    Fields id = Fields.zeroes(SECTOR, ByteOrder.LITTLE_ENDIAN).put(0, "vhdxfile");
    file.write(0, id.put(8, "Spindle".getBytes(StandardCharsets.UTF_16LE)));
    file.write(METADATA_OFFSET, metadata.table());
    for (long place : VhdxRegions.PLACES) {
      file.write(place, VhdxRegions.table(TABLE_OFFSET, tableBytes, METADATA_OFFSET, MIB));
    }
    if (fixed) {
      writeTable(file, metadata, entries, data);
    }
    UUID fileGuid = UUID.randomUUID();
    UUID dataGuid = UUID.randomUUID();
    file.write(VhdxHeader.FIRST, VhdxHeader.fields(1, fileGuid, dataGuid, MIB, MIB));
    file.write(VhdxHeader.SECOND, VhdxHeader.fields(2, fileGuid, dataGuid, MIB, MIB));
  }

  private static void writeTable(ImageFile file, VhdxMetadata metadata, long entries, long data)
      throws ImageException {
    long block = 0;
    for (long first = 0; first < entries; first += PIECE / ENTRY) {
      int count = (int) Math.min(PIECE / ENTRY, entries - first);
      Fields part = Fields.zeroes(count * ENTRY, ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < count && block < metadata.blocks(); i++) {
        boolean isBlock = (first + i + 1) % (metadata.chunkRatio() + 1) != 0;
        if (isBlock) {
          part.put64(i * ENTRY, data + block++ * metadata.block() | FULLY_PRESENT);
        }
      }
      file.write(TABLE_OFFSET + first * ENTRY, part);
    }
  }
}
