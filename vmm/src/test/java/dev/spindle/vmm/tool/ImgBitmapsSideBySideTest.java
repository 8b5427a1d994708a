// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Persistent bitmaps, and sizes of images: {@code img} beside qemu-img. */
final class ImgBitmapsSideBySideTest {
  @TempDir Path folder;
  private SideBySide tools;

  @BeforeEach
  void makeImages() throws Exception {
    tools = new SideBySide(folder);
    tools.hole("raw", 10 << 20);
    for (String command :
        new String[] {
          "create -q -f qcow2 @q 10M",
          "create -q -f qcow2 @big 20M",
          "create -q -f qcow2 -o compat=0.10 @old 10M",
          "create -q -f qcow2 -o cluster_size=4k @small 10M",
          "create -q -f qcow2 -o cluster_size=512 @tiny 1M",
          "create -q -f qcow2 -b @q -F qcow2 @over",
        }) {
      tools.img(command);
    }
  }

  @AfterEach
  void assertAlike() {
    tools.assertAlike();
  }

  private void run(String... commands) throws Exception {
    for (String command : commands) {
      tools.img(command);
    }
  }

  @Test
  void refusesWrongCommandLines() throws Exception {
    run(
        "bitmap",
        "bitmap --help-me",
        "bitmap --add",
        "bitmap --add @q",
        "bitmap --add @q a b",
        "bitmap @q a",
        "bitmap -g 4k --remove @q a",
        "bitmap -F qcow2 --merge b @q a",
        "bitmap -b @q --add @q a",
        "bitmap -g 3k --add @q a",
        "bitmap -g 256 --add @q a",
        "bitmap -g x --add @q a",
        "bitmap -g -1 --add @q a",
        "bitmap --add @nofile a",
        "bitmap -f raw --add @raw a",
        "bitmap -f foo --add @q a",
        "bitmap --add @old a",
        "bitmap --add @q " + "x".repeat(1024),
        "bitmap --merge nope @q a",
        "bitmap --remove @q nope",
        "bitmap --clear @q nope",
        "bitmap --enable @q nope",
        "bitmap --disable @q nope",
        "bitmap --merge @q",
        "bitmap --add -U @q a",
        "bitmap --add --image-opts -f qcow2 driver=qcow2,file.filename=@q a",
        "convert --skip-broken-bitmaps -O qcow2 @q @out",
        "convert --bitmaps -f raw -O qcow2 @raw @out",
        "convert --bitmaps -O qcow2 @q @q @out",
        "convert --bitmaps -O raw @q @out",
        "convert --bitmaps -O qcow2 @old @out",
        "convert --bitmaps -O qcow2 -o compat=0.10 @q @out2");
  }

  @Test
  void changesBitmaps() throws Exception {
    run(
        "bitmap --add @q a",
        "bitmap --add @q a",
        "bitmap -g 4k --add -f qcow2 @q b",
        "bitmap -g 0 --add @q zero",
        "bitmap --add --disable -g 1M @q c",
        "bitmap --add --image-opts driver=qcow2,file.filename=@q d",
        "bitmap --add @small a",
        "bitmap --add @tiny a",
        "bitmap --add @over a",
        "bitmap --add @big a",
        "bitmap --add " + "@q " + "n".repeat(1023),
        "info @q",
        "info --output=json @q",
        "info @small",
        "info @tiny",
        "info @over");
    tools.io("@q", "write 1M 1M", "write 5M 4k");
    tools.io("@big", "write 15M 64k");
    run(
        "bitmap --merge a @q c",
        "bitmap --merge a --merge b @q c",
        "bitmap -b @big --merge a @q a",
        "bitmap -b @big -F raw --merge a @q a",
        "bitmap -b @q -F qcow2 --merge a @over a",
        "bitmap --disable @q a",
        "bitmap --enable @q c",
        "bitmap --clear --disable --enable @q b",
        "bitmap --add --remove @q e",
        "bitmap --add --merge b --disable @q f",
        "bitmap --remove @q d",
        "bitmap --remove @q d",
        "info @q",
        "convert --bitmaps -O qcow2 @q @copy",
        "convert --bitmaps -c -O qcow2 -o cluster_size=4k @q @packed",
        "convert --bitmaps -O qcow2 @over @flat",
        "convert --bitmaps -n -O qcow2 @over @flat",
        "info @copy",
        "info @packed",
        "info @flat",
        "resize @q 20M",
        "info --output=json @q",
        "snapshot -c s @q",
        "snapshot -a s @q");
    tools.compareImages("q", "copy", "packed", "flat", "small", "tiny");
  }

  @Test
  void tellsOfBrokenOnes() throws Exception {
    run("bitmap --add @q a", "bitmap --add @q b");
    for (String name : List.of("ours", "theirs")) {
      Path file = folder.resolve(name).resolve("q");
      byte[] bytes = Files.readAllBytes(file);
      ByteBuffer image = ByteBuffer.wrap(bytes);
      // Behind the names of features.
      int directory = (int) image.getLong(504 + 24);
      image.putInt(directory + 12, image.getInt(directory + 12) | 1);
      Files.write(file, bytes);
    }
    run(
        "info @q",
        "check @q",
        "bitmap --clear @q a",
        "bitmap --enable @q a",
        "bitmap --disable @q a",
        "bitmap --merge b @q a",
        "bitmap --merge a @q b",
        "bitmap --add @q a",
        "convert --bitmaps -O qcow2 @q @out",
        "convert --bitmaps --skip-broken-bitmaps -O qcow2 @q @out",
        "info @out",
        "resize @q 20M",
        "measure -O qcow2 @q",
        "bitmap --remove @q a",
        "info @q",
        "check @q");
  }

  @Test
  void measures() throws Exception {
    tools.io("@q", "write 1M 1M", "write -z 5M 1M", "write 9M 64k");
    tools.io("-f raw @raw", "write 100k 300k", "write 3M 512");
    tools.io("@over", "write 2M 128k");
    run(
        "bitmap --add @q a",
        "bitmap --add -g 512 @q b",
        "snapshot -c s @old",
        "measure",
        "measure @q @q",
        "measure --size 1M @q",
        "measure --size x",
        "measure --size 1M -O foo",
        "measure --size 1M -O vdi",
        "measure --size 1M -f qcow2",
        "measure --size 1M -l s",
        "measure --size 1M -O qcow2 -o foo=1",
        "measure --size 1M -O qcow2 -o cluster_size=100",
        "measure --size 1M -O qcow2 -o refcount_bits=3",
        "measure --size 1M -O qcow2 -o compat=0.10,refcount_bits=1",
        "measure --size 8E -O qcow2",
        "measure --size 7E -O qcow2",
        "measure --size 64T -O qcow2 -o cluster_size=512",
        "measure -O qcow2 @nofile",
        "measure -O qcow2 @q",
        "measure -O qcow2 --output=json @q",
        "measure -O raw @q",
        "measure -O qcow2 @over",
        "measure -O qcow2 @old",
        "measure -O qcow2 -l s @old",
        "measure -O qcow2 -l nope @old",
        "measure -O qcow2 -f raw @raw",
        "measure -O qcow2 -o compat=0.10 @q",
        "measure -O qcow2 -o backing_file=@raw,backing_fmt=raw @q",
        "measure -O qcow2 --image-opts driver=qcow2,file.filename=@q");
    Random random = new Random(1);
    for (int i = 0; i < 40; i++) {
      int clusterBits = 9 + random.nextInt(13);
      String options =
          "-o cluster_size=%d,refcount_bits=%d,extended_l2=%s,preallocation=%s"
              .formatted(
                  1 << clusterBits,
                  1 << random.nextInt(7),
                  clusterBits >= 14 && random.nextBoolean() ? "on" : "off",
                  List.of("off", "metadata", "falloc", "full").get(random.nextInt(4)));
      long size = 1 + random.nextLong(1L << (20 + random.nextInt(17)));
      run(
          "measure --size " + size + " -O qcow2 " + options,
          "measure -O qcow2 " + options + " @q",
          "measure -O qcow2 " + options + " -f raw @raw",
          "measure -O qcow2 " + options + " @over");
    }
  }
}
