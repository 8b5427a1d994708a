// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code img} beside qemu-img. */
final class ImgSideBySideTest {
  @TempDir Path folder;
  private SideBySide tools;

  @BeforeEach
  void makeImages() throws Exception {
    tools = new SideBySide(folder);
    tools.hole("hole", 1 << 20);
    tools.hole("long", 2 << 20);
    tools.hole("empty", 0);
    byte[] data = new byte[1 << 20];
    new Random(1).nextBytes(data);
    Arrays.fill(data, 100_000, 300_000, (byte) 0);
    tools.write("data", data);
    data[70_000]++;
    tools.write("other", data);
    tools.write("odd", "abc".getBytes(StandardCharsets.UTF_8));
  }

  @AfterEach
  void assertAlike() {
    tools.assertAlike();
  }

  @Test
  void refusesWrongCommandLines() throws Exception {
    for (String command :
        new String[] {
          "foo",
          "info",
          "info -Z @data",
          "info --zork @data",
          "info -f",
          "info --output=xml @data",
          "info -f foo @data",
          "info @data @hole",
          "info @nofile",
          "info foo:x",
          "create",
          "create @y",
          "create @y abc",
          "create -f raw @y 16E",
          "create -f raw @y 1kk",
          "create -f raw @y 1.5",
          "create -f raw @y 1M 2M",
          "create -f raw @y -- -5",
          "create -f foo @y 1M",
          "create -f raw -o foo=bar @y 1M",
          "create -f raw -o preallocation=bar @y 1M",
          "create -f raw -b @data -F raw @y",
          "create -f raw @nofolder/y 1M",
          "resize @data",
          "resize -f raw @hole 512k",
          "resize -f raw @hole -512k",
          "resize -f raw @hole abc",
          "resize -f raw --shrink @hole -5G",
          "resize -f raw --preallocation=foo @hole +1k",
          "resize -f raw --preallocation=metadata @hole +1k",
          "resize -f raw --shrink --preallocation=full @hole 1k",
          "resize -f raw @nofile 1M",
          "map @data @hole",
          "map -s abc @data",
          "compare @data",
          "compare @data @nofile",
          "compare -T foo @data @data",
          "compare -f foo @data @data",
          "convert @data",
          "convert",
          "convert -O foo @data @y",
          "convert -f raw -O raw -n @data @nofile",
          "convert -f raw -O raw -n @long @data",
          "convert -c -O raw @data @y",
          "convert -S abc @data @y",
          "convert -S 3 @data @y",
          "convert -m 99 @data @y",
          "convert -m a @data @y",
          "convert -t foo @data @y",
          "convert -T foo @data @y",
          "convert -o foo=1 -O raw @data @y",
          "convert -B @hole @data @y",
          "convert --target-is-zero @data @y",
          "convert -n -o size=1M @data @y",
          "convert @nofile @y",
          "convert @data @nofolder/y",
          "convert -C -S 0 @data @y",
          "convert -r a @data @y",
          "check @data",
          "check -f raw @data",
          "check --output=json @data",
          "check -r foo @data",
          "check @nofile",
          "measure",
          "measure --size abc",
          "measure --size 1G @data",
          "measure -O foo --size 1G",
          "dd if=@data",
          "dd of=@data",
          "dd bs=0 if=@data of=@y",
          "dd bs=abc if=@data of=@y",
          "dd foo=bar if=@data of=@y",
          "dd foo",
          "dd seek=1 if=@data of=@y",
        }) {
      tools.img(command);
    }
  }

  @Test
  void saysWhatImagesAre() throws Exception {
    for (String command :
        new String[] {
          "info @hole",
          "info @odd",
          "info -f raw @data",
          "info --output=json @data",
          "info -U @data",
          "info --backing-chain --output=json @data",
          "info --backing-chain @data",
          "info --image-opts driver=raw,file.driver=file,file.filename=@hole",
          "map --output=json @hole",
          "map @data",
          "map --output=json @empty",
          "map --output=json -s 64k -l 8k @data",
          "map -s 2M @data",
          "measure @data",
          "measure --size 1G -O raw",
          "measure --output=json @data",
          "compare @data @data",
          "compare @data @other",
          "compare -q @data @other",
          "compare -p @data @data",
          "compare @hole @long",
          "compare -s @hole @long",
          "compare @long @hole",
          "compare @data @long",
        }) {
      tools.img(command);
    }
    tools.compareFiles();
  }

  @Test
  void makesAndChangesImages() throws Exception {
    for (String command :
        new String[] {
          "create -f raw @new 1M",
          "create -f raw @new1 1000",
          "create -q -f raw @new2 1.5k",
          "create -f raw @new3 0x1000",
          "create -f raw -o preallocation=falloc @new4 1M",
          "create -f raw -o preallocation=full,size=64k @new5",
          "create -f raw @new6 0",
          "resize -f raw @new 2M",
          "resize -f raw @new +1M",
          "resize -f raw --shrink @new 1M",
          "resize -q -f raw @new +512",
          "resize -f raw --preallocation=full @new +1k",
          "resize -f raw --preallocation=falloc @new +64k",
          "resize @new1 2k",
          "convert @data @copy",
          "convert -f raw -O raw @odd @copy1",
          "convert -p -O raw @empty @copy2",
          "convert -n -O raw @data @new",
          "convert -W -m 4 @data @hole @copy3",
          "convert -S 0 @data @copy4",
          "convert -S 64k -O raw -t none @data @copy5",
          "dd if=@data of=@dd",
          "dd bs=1k count=100 if=@data of=@dd1",
          "dd bs=1k skip=68 if=@data of=@dd2",
          "dd -f raw -O raw bs=1M if=@data of=@dd3",
          "dd skip=3000 if=@data of=@dd4",
        }) {
      tools.img(command);
      tools.compareFiles();
    }
  }

  /** Nobody says what format they are in. */
  @Test
  void takesImagesForWhatTheyAre() throws Exception {
    for (String format : List.of("qcow2", "vdi", "vpc", "vmdk", "vhdx", "parallels")) {
      Path image = folder.resolve(format);
      Process made =
          new ProcessBuilder(
                  "qemu-img", "convert", "-f", "raw", "-O", format, "theirs/data", image.toString())
              .directory(folder.toFile())
              .inheritIO()
              .start();
      assertEquals(0, made.waitFor());
      tools.write("image." + format, Files.readAllBytes(image));
      tools.img("convert -O raw @image." + format + " @raw." + format);
      tools.img("compare @image." + format + " @data");
      tools.img("compare @image." + format + " @other");
    }
    tools.compareFiles();
  }
}
