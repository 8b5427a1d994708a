// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vmdk;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.CreateOption.Kind;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
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

      ddb.virtualHWVersion = "%s"
      ddb.geometry.cylinders = "%d"
      ddb.geometry.heads = "%d"
      ddb.geometry.sectors = "63"
      ddb.adapterType = "%s"
      ddb.toolsVersion = "%s"
      """;

  @Override
  public String driver() {
    return "vmdk";
  }

  @Override
  public List<CreateOption> toolOptions() {
    return List.of(
        CreateOption.size(),
        CreateOption.of(
            "adapter_type", Kind.TEXT, "ide (where none is given), lsilogic, buslogic, legacyESX"),
        CreateOption.of("compat6", Kind.BOOL, "the same as hwversion=6")
            .otherwise("off")
            .words(on -> on.equals("on") ? Map.of("hwversion", "6") : Map.of()),
        CreateOption.of("hwversion", Kind.TEXT, "the virtual hardware's version")
            .otherwise("undefined"),
        CreateOption.of("toolsversion", Kind.TEXT, "the version of the guest's tools"),
        CreateOption.of("subformat", Kind.TEXT, "monolithicSparse"),
        CreateOption.of("zeroed_grain", Kind.BOOL, "whether a grain can be said to be zero"));
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long sectors = ImageCreator.takeSize(options) / 512;
    options.choice("subformat", "monolithicSparse", "monolithicSparse");
    Machine machine =
        new Machine(
            options.choice("adapter-type", "ide", "ide", "lsilogic", "buslogic", "legacyESX"),
            version(options, "hwversion", "4"),
            version(options, "toolsversion", "2147483647"));
    boolean zeroed = options.bool("zeroed-grain", false);
    if (sectors == 0 || sectors > MOST) {
      throw new OptionException(
          "%s: a VMDK image in one file has from 512 to %d bytes"
              .formatted(options.owner(), MOST * 512));
    }
    return (file, objects) -> write(file, sectors, machine, zeroed);
  }

  /** What the descriptor says of the machine that the disk is for. */
  private record Machine(String adapter, String hardware, String tools) {
    int heads() {
      return adapter.equals("ide") ? 16 : 255;
    }
  }

  /** A word for the descriptor, which must not end where its quotation marks do not. */
  private static String version(Options options, String name, String otherwise)
      throws OptionException {
    String version = options.string(name).orElse(otherwise);
    if (!version.matches("[0-9A-Za-z._-]{1,32}")) {
      throw new OptionException(
          "%s: parameter '%s' is '%s', expected letters, digits and dots"
              .formatted(options.owner(), name, version));
    }
    return version;
  }

  private static long roundedUp(long value, long unit) {
    return (value + unit - 1) / unit * unit;
  }

  private static void write(ImageFile file, long sectors, Machine machine, boolean zeroed)
      throws ImageException {
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
                machine.hardware(),
                Math.min(16383, sectors / machine.heads() / 63),
                machine.heads(),
                machine.adapter(),
                machine.tools())
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
