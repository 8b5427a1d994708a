// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vmdk;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.ByteOrder;
import java.util.concurrent.ThreadLocalRandom;

/** Makes VMDK images in one file, with all grain tables ({@code monolithicSparse}). */
public final class VmdkCreator implements ImageCreator {
  private static final long GRAIN = 128;
  private static final int TABLE_ENTRIES = 512;
  private static final long TABLE_SECTORS = TABLE_ENTRIES * 4 / 512;
  private static final long DESCRIPTOR = 1;
  private static final long DESCRIPTOR_SECTORS = 20;

  /** In sectors: 2 TiB, what a table entry can say. */
  private static final long MOST = 0xffff_ffffL;

  private static final String TEXT =
      """
      # Disk DescriptorFile
      version=1
      CID=%08x
      parentCID=ffffffff
      createType="monolithicSparse"

      # Extent description
      RW %d SPARSE "%s"

      # The Disk Data Base
      #DDB

      ddb.virtualHWVersion = "4"
      ddb.geometry.cylinders = "%d"
      ddb.geometry.heads = "16"
      ddb.geometry.sectors = "63"
      ddb.adapterType = "ide"
      """;

  @Override
  public String driver() {
    return "vmdk";
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long sectors = ImageCreator.takeSize(options) / 512;
    options.choice("subformat", "monolithicSparse", "monolithicSparse");
    boolean zeroed = options.bool("zeroed-grain", false);
    if (sectors == 0 || sectors > MOST) {
      throw new OptionException(
          "%s: a VMDK image in one file has from 512 to %d bytes"
              .formatted(options.owner(), MOST * 512));
    }
    return file -> write(file, sectors, zeroed);
  }

  private static long roundedUp(long value, long unit) {
    return (value + unit - 1) / unit * unit;
  }

  private static void write(ImageFile file, long sectors, boolean zeroed) throws ImageException {
    long tables = roundedUp(sectors, GRAIN * TABLE_ENTRIES) / (GRAIN * TABLE_ENTRIES);
    long directorySectors = roundedUp(tables * 4, 512) / 512;
    long backup = DESCRIPTOR + DESCRIPTOR_SECTORS;
    long directory = backup + directorySectors + tables * TABLE_SECTORS;
    long overhead = roundedUp(directory + directorySectors + tables * TABLE_SECTORS, GRAIN);
    file.resize(overhead * 512);
    writeDirectory(file, backup, directorySectors, tables);
    writeDirectory(file, directory, directorySectors, tables);
    byte[] text =
        TEXT.formatted(
                ThreadLocalRandom.current().nextInt() & 0xffff_fffeL,
                sectors,
                file.name().replaceAll("^.*/|'|\"", ""),
                Math.min(16383, sectors / 16 / 63))
            .getBytes(ISO_8859_1);
    Fields descriptor =
        Fields.zeroes((int) DESCRIPTOR_SECTORS * 512, ByteOrder.LITTLE_ENDIAN).put(0, text);
    file.write(DESCRIPTOR * 512, descriptor);
    Fields header = Fields.zeroes(SparseHeader.BYTES, ByteOrder.LITTLE_ENDIAN);
    header.put(0, SparseHeader.MAGIC).put32(4, zeroed ? 2 : 1);
    // The first flag says that there are line ends to tell damage by, at 73.
    header.put32(8, 1 | SparseHeader.FLAG_BACKUP | (zeroed ? SparseHeader.FLAG_ZEROED : 0));
    header.put64(12, sectors).put64(20, GRAIN).put64(28, DESCRIPTOR);
    header.put64(36, DESCRIPTOR_SECTORS).put32(44, TABLE_ENTRIES);
    header.put64(48, backup).put64(56, directory).put64(64, overhead).put(73, "\n \r\n");
    file.write(0, header);
  }

  private static void writeDirectory(
      ImageFile file, long sector, long directorySectors, long tables) throws ImageException {
    Fields directory =
        Fields.zeroes(Math.toIntExact(directorySectors * 512), ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < tables; i++) {
      directory.put32(i * 4, sector + directorySectors + i * TABLE_SECTORS);
    }
    file.write(sector * 512, directory);
  }
}
