// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.parallels;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;

/**
 * The header of a Parallels expandable image.
 *
 * @param size what the image shows, in bytes
 * @param cluster in what pieces, in bytes
 * @param entries of the allocation table, which follows the header
 * @param unit what an entry of 1 stands for, in bytes
 * @param data where data begins, in bytes
 * @param inUse what the header says of programs that use the image
 * @param hasExtension whether there is more than this, for one dirty bitmaps
 */
record ParallelsHeader(
    long size, long cluster, long entries, long unit, long data, long inUse, boolean hasExtension) {
  static final int BYTES = 64;
  static final int ENTRY = 4;
  static final int AT_IN_USE = 44;
  static final long IN_USE = 0x746f_6e59L;
  static final String MAGIC = "WithoutFreeSpace";
  static final String MAGIC_EXTENDED = "WithouFreSpacExt";
  static final long VERSION = 2;
  static final long MOST_CLUSTER = 64 << 20;
  static final long MOST_ENTRIES = 1 << 26;

  static ParallelsHeader read(ImageFile file) throws ImageException {
    Fields fields = file.read(0, BYTES, ByteOrder.LITTLE_ENDIAN);
    String magic = fields.text(0, MAGIC.length());
    boolean extended = magic.equals(MAGIC_EXTENDED);
    if (!extended && !magic.equals(MAGIC)) {
      throw new ImageException(file.name() + " is not a Parallels image: it begins as none");
    }
    if (fields.u32(16) != VERSION) {
      throw new ImageException(
          "%s: version %d of Parallels' format is not supported"
              .formatted(file.name(), fields.u32(16)));
    }
    long cluster = fields.u32(28) * 512;
    long entries = fields.u32(32);
    if (cluster == 0 || cluster > MOST_CLUSTER || entries > MOST_ENTRIES) {
      throw new ImageException(
          "%s: %d clusters of %d bytes are not supported".formatted(file.name(), entries, cluster));
    }
    // The upper half counts only in the extended format.
    long sectors = extended ? fields.u64(36, "the number of sectors") : fields.u32(36);
    if (sectors > entries * cluster / 512) {
      throw new ImageException(
          "%s: %d clusters of %d bytes are too few for %d sectors"
              .formatted(file.name(), entries, cluster, sectors));
    }
    long tableEnd = BYTES + entries * ENTRY;
    long data = fields.u32(48) == 0 ? (tableEnd + 511) & -512 : fields.u32(48) * 512;
    if (tableEnd > file.length() || data < tableEnd) {
      throw new ImageException(
          "%s: an allocation table of %d entries does not fit between the header and the data at offset %d"
              .formatted(file.name(), entries, data));
    }
    return new ParallelsHeader(
        sectors * 512,
        cluster,
        entries,
        extended ? cluster : 512,
        data,
        fields.u32(AT_IN_USE),
        fields.bits64(56) != 0);
  }
}
