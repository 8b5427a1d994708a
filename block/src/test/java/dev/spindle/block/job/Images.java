// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;

/** Image files as nodes of a test's graph. */
public final class Images {
  private final JobWorld world;
  private final Path folder;

  public Images(JobWorld world, Path folder) {
    this.world = world;
    this.folder = folder;
  }

  public Path path(String name) {
    return folder.resolve(name + ".raw");
  }

  /** A file of random data with holes. */
  public BlockNode random(String name, int size, long seed) throws Exception {
    byte[] data = new byte[size];
    Random random = new Random(seed);
    random.nextBytes(data);
    for (int i = 0; i < 8; i++) {
      int start = random.nextInt(size / 4096) * 4096;
      Arrays.fill(data, start, Math.min(size, start + (128 << 10)), (byte) 0);
    }
    return of(name, data);
  }

  public BlockNode of(String name, byte[] data) throws Exception {
    Files.write(path(name), data);
    return world.test.get(
        () ->
            world.test.graph.open(
                Disk.options("driver=file,node-name=" + name + ",filename=" + path(name))));
  }

  public byte[] bytes(String name) throws IOException {
    return Files.readAllBytes(path(name));
  }

  /** What qemu-img says of two images: 0 if they are alike. */
  public int compare(String one, String other) throws Exception {
    return new ProcessBuilder(
            "qemu-img",
            "compare",
            "-U",
            "-f",
            "raw",
            "-F",
            "raw",
            path(one).toString(),
            path(other).toString())
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start()
        .waitFor();
  }
}
