// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vpc;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.CreateOption.Kind;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.ByteOrder;
import java.time.Instant;
import java.util.List;
import java.util.Random;

/**
 * Makes VHD images, {@code subformat=dynamic} or {@code fixed}. Without {@code force-size=on} the
 * size is rounded up to what cylinders, heads and sectors can say, for programs that go by those.
 */
public final class VpcCreator implements ImageCreator {
  private static final long BLOCK = 2 << 20;
  private static final int PIECE = 64 << 10;
  private static final long TABLE = VpcFooter.BYTES + DynamicVpcImage.HEADER_BYTES;
  private static final long EPOCH = Instant.parse("2000-01-01T00:00:00Z").getEpochSecond();

  @Override
  public String driver() {
    return "vpc";
  }

  @Override
  public List<CreateOption> toolOptions() {
    return List.of(
        CreateOption.size(),
        CreateOption.of("subformat", Kind.TEXT, "dynamic (where none is given) or fixed"),
        CreateOption.of(
            "force_size", Kind.BOOL, "the very size, whatever cylinders and heads can say"));
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long wanted = ImageCreator.takeSize(options) / 512;
    boolean fixed = options.choice("subformat", "dynamic", "dynamic", "fixed").equals("fixed");
    boolean exact = options.bool("force-size", false);
    VpcGeometry geometry = VpcGeometry.atLeast(wanted);
    long sectors = exact || geometry.isLargest() ? wanted : geometry.sectors();
    if (sectors > VpcFooter.MOST_SECTORS) {
      throw new OptionException(
          "%s: a VHD image has %d bytes at most"
              .formatted(options.owner(), VpcFooter.MOST_SECTORS * 512));
    }
    return (file, objects) -> {
      Fields footer = footer(sectors * 512, geometry, fixed, exact);
      if (fixed) {
        file.resize(sectors * 512);
        file.write(sectors * 512, footer);
      } else {
        writeDynamic(file, sectors * 512, footer);
      }
    };
  }

  private static void writeDynamic(ImageFile file, long size, Fields footer) throws ImageException {
    long entries = (size + BLOCK - 1) / BLOCK;
    long tableBytes = (entries * 4 + 511) & -512;
    file.write(0, footer);
    Fields header = Fields.zeroes(DynamicVpcImage.HEADER_BYTES, ByteOrder.BIG_ENDIAN);
    header.put(0, DynamicVpcImage.COOKIE);
    header.put64(DynamicVpcImage.AT_NEXT, -1);
    header.put64(DynamicVpcImage.AT_TABLE, TABLE);
    header.put32(DynamicVpcImage.AT_VERSION, DynamicVpcImage.VERSION);
    header.put32(DynamicVpcImage.AT_ENTRIES, entries);
    header.put32(DynamicVpcImage.AT_BLOCK_SIZE, BLOCK);
    header.put32(
        DynamicVpcImage.AT_CHECKSUM, VpcFooter.checksum(header, DynamicVpcImage.AT_CHECKSUM));
    file.write(VpcFooter.BYTES, header);
    for (long done = 0; done < tableBytes; done += PIECE) {
      Fields part = Fields.zeroes((int) Math.min(PIECE, tableBytes - done), ByteOrder.BIG_ENDIAN);
      part.memory().fill((byte) 0xff);
      file.write(TABLE + done, part);
    }
    file.write(TABLE + tableBytes, footer);
  }

  private static Fields footer(long size, VpcGeometry geometry, boolean fixed, boolean exact) {
    Fields footer = Fields.zeroes(VpcFooter.BYTES, ByteOrder.BIG_ENDIAN);
    footer.put(0, VpcFooter.COOKIE);
    footer.put32(VpcFooter.AT_FEATURES, 2);
    footer.put32(VpcFooter.AT_VERSION, 0x0001_0000);
    footer.put64(VpcFooter.AT_DATA_OFFSET, fixed ? -1 : VpcFooter.BYTES);
    footer.put32(VpcFooter.AT_TIMESTAMP, Instant.now().getEpochSecond() - EPOCH);
    // Programs know by it whether the size counts or the geometry.
    footer.put(VpcFooter.AT_CREATOR, exact ? "win " : "spin");
    footer.put32(VpcFooter.AT_CREATOR_VERSION, 0x0001_0000);
    footer.put(VpcFooter.AT_CREATOR_HOST, "Wi2k");
    footer.put64(VpcFooter.AT_ORIGINAL_SIZE, size);
    footer.put64(VpcFooter.AT_CURRENT_SIZE, size);
    footer.put16(VpcFooter.AT_CYLINDERS, geometry.cylinders());
    footer.put8(VpcFooter.AT_HEADS, geometry.heads());
    footer.put8(VpcFooter.AT_SECTORS, geometry.sectorsPerTrack());
    footer.put32(VpcFooter.AT_TYPE, fixed ? VpcFooter.FIXED : VpcFooter.DYNAMIC);
    byte[] id = new byte[VpcFooter.UUID];
    new Random().nextBytes(id);
    footer.put(VpcFooter.AT_UUID, id);
    return footer.put32(VpcFooter.AT_CHECKSUM, VpcFooter.checksum(footer, VpcFooter.AT_CHECKSUM));
  }
}
