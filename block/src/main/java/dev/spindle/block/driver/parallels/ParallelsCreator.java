// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.parallels;

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

/** Makes Parallels images, in clusters of {@code cluster-size}. */
public final class ParallelsCreator implements ImageCreator {
  @Override
  public String driver() {
    return "parallels";
  }

  @Override
  public List<CreateOption> toolOptions() {
    return List.of(
        CreateOption.size(),
        CreateOption.of("cluster_size", Kind.SIZE, "bytes of a cluster").otherwise("1048576"));
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long size = ImageCreator.takeSize(options);
    long cluster = options.size("cluster-size", 1 << 20);
    if (cluster < 512 || cluster > ParallelsHeader.MOST_CLUSTER || cluster % 512 != 0) {
      throw new OptionException(
          "%s: parameter 'cluster-size' is %d, expected a multiple of 512 up to %d"
              .formatted(options.owner(), cluster, ParallelsHeader.MOST_CLUSTER));
    }
    long entries = (size + cluster - 1) / cluster;
    if (entries > ParallelsHeader.MOST_ENTRIES) {
      throw new OptionException(
          "%s: a Parallels image has at most %d clusters"
              .formatted(options.owner(), ParallelsHeader.MOST_ENTRIES));
    }
    return (file, objects) -> write(file, size, cluster, entries);
  }

  private static void write(ImageFile file, long size, long cluster, long entries)
      throws ImageException {
    long tableEnd = ParallelsHeader.BYTES + entries * ParallelsHeader.ENTRY;
    // A cluster's place is counted in clusters.
    long data = (tableEnd + cluster - 1) / cluster * cluster;
    file.resize(data);
    Fields header = Fields.zeroes(ParallelsHeader.BYTES, ByteOrder.LITTLE_ENDIAN);
    header.put(0, ParallelsHeader.MAGIC_EXTENDED).put32(16, ParallelsHeader.VERSION);
    // Heads and cylinders, which nothing goes by.
    header.put32(20, 16).put32(24, size / 512 / 16 / 32);
    header.put32(28, cluster / 512).put32(32, entries).put64(36, size / 512);
    header.put32(48, data / 512);
    file.write(0, header);
  }
}
