// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vdi;

import static dev.spindle.block.driver.vdi.VdiHeader.BLOCK;
import static dev.spindle.block.driver.vdi.VdiHeader.BYTES;
import static dev.spindle.block.driver.vdi.VdiHeader.ENTRY;

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
import java.util.Random;

/** Makes VDI images: dynamic, or with {@code preallocation=metadata} static. */
public final class VdiCreator implements ImageCreator {
  private static final int PIECE = 64 << 10;
  private static final long HEADER_SIZE = 0x190;

  @Override
  public String driver() {
    return "vdi";
  }

  @Override
  public List<CreateOption> toolOptions() {
    return List.of(
        CreateOption.size(),
        CreateOption.of("static", Kind.BOOL, "whether all blocks have room from the beginning")
            .otherwise("off")
            .words(on -> on.equals("on") ? Map.of("preallocation", "metadata") : Map.of()));
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long size = ImageCreator.takeSize(options);
    boolean allocated =
        options.choice("preallocation", "off", "off", "metadata").equals("metadata");
    if (size > VdiHeader.MOST_BLOCKS * BLOCK) {
      throw new OptionException(
          "%s: a VDI image has %d bytes at most"
              .formatted(options.owner(), VdiHeader.MOST_BLOCKS * BLOCK));
    }
    return (file, objects) -> write(file, size, allocated);
  }

  private static void write(ImageFile file, long size, boolean allocated) throws ImageException {
    long blocks = (size + BLOCK - 1) / BLOCK;
    long data = BYTES + ((blocks * ENTRY + 511) & -512);
    file.resize(allocated ? data + blocks * BLOCK : data);
    for (long done = 0; done < data - BYTES; done += PIECE) {
      Fields map =
          Fields.zeroes((int) Math.min(PIECE, data - BYTES - done), ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < map.size(); at += ENTRY) {
        long block = (done + at) / ENTRY;
        map.put32(at, allocated && block < blocks ? block : -1);
      }
      file.write(BYTES + done, map);
    }
    file.write(0, header(size, blocks, data, allocated));
  }

  private static Fields header(long size, long blocks, long data, boolean allocated) {
    Fields header = Fields.zeroes(BYTES, ByteOrder.LITTLE_ENDIAN);
    header.put(0, "<<< Oracle VM VirtualBox Disk Image >>>\n");
    header.put32(VdiHeader.AT_SIGNATURE, VdiHeader.SIGNATURE);
    header.put32(VdiHeader.AT_VERSION, VdiHeader.VERSION);
    header.put32(VdiHeader.AT_HEADER_SIZE, HEADER_SIZE);
    header.put32(VdiHeader.AT_TYPE, allocated ? VdiHeader.TYPE_STATIC : VdiHeader.TYPE_DYNAMIC);
    header.put32(VdiHeader.AT_MAP_OFFSET, BYTES);
    header.put32(VdiHeader.AT_DATA_OFFSET, data);
    header.put32(VdiHeader.AT_SECTOR_SIZE, 512);
    header.put64(VdiHeader.AT_SIZE, size);
    header.put32(VdiHeader.AT_BLOCK_SIZE, BLOCK);
    header.put32(VdiHeader.AT_BLOCKS, blocks);
    header.put32(VdiHeader.AT_ALLOCATED, allocated ? blocks : 0);
    byte[] ids = new byte[2 * VdiHeader.UUID];
    new Random().nextBytes(ids);
    return header.put(VdiHeader.AT_UUID, ids);
  }
}
