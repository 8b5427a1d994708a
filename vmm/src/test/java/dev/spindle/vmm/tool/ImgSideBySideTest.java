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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

  @Test
  void makesImagesOfOtherFormats() throws Exception {
    for (String command :
        new String[] {
          "create -f qcow2 @q 3M",
          "info @q",
          "check @q",
          "create -f qcow2 -o cluster_size=4k,refcount_bits=1,lazy_refcounts=on @q1 1M",
          "info --output=json @q1",
          "create -f qcow2 -o compat=0.10 @q2 1M",
          "info @q2",
          "create -f qcow2 -o extended_l2=on,compression_type=zstd @q3 1M",
          "info @q3",
          "create -f qcow2 -o preallocation=metadata @q4 1M",
          "check @q4",
          "create -f qcow2 -F raw -b data @q5",
          "info @q5",
          "info --backing-chain --output=json @q5",
          "compare -F raw @q5 @data",
          "create -f qcow2 -u -F raw -b nofile @q6 1M",
          "create -f qcow2 @q7 0",
          "create -f qcow2 -o size=1M,backing_file=data,backing_fmt=raw @q8",
          "create -f vdi @vdi 1M",
          "create -f vdi -o static=on @vdi1 1M",
          "create -f vpc @vpc 1M",
          "create -f vpc -o subformat=fixed @vpc1 1M",
          "create -f vhdx @vhdx 1M",
          "create -f vhdx -o block_size=1M,subformat=fixed @vhdx1 1M",
          "create -f vmdk @vmdk 1M",
          "create -f parallels -o cluster_size=64k @parallels 1M",
          "convert -f raw -O qcow2 @data @c",
          "compare @c @data",
          "check @c",
          "convert -O qcow2 -o cluster_size=512 @data @c1",
          "compare @c1 @data",
          "convert -O qcow2 -S 0 @data @c2",
          "compare @c2 @data",
          "convert -O raw @c1 @back",
          "convert -O vdi @c @c3",
          "compare @c3 @data",
          "convert -O vhdx @c @c4",
          "compare @c4 @data",
          "convert -O vmdk @c @c5",
          "compare @c5 @data",
          "convert -O parallels @c @c6",
          "compare @c6 @data",
          "convert -O qcow2 -B @q -F qcow2 @data @c7",
          "compare @c7 @data",
          "dd -O qcow2 bs=64k count=4 if=@data of=@d",
          "compare -f qcow2 @d @data",
          "resize @q 8M",
          "resize --shrink @q 1M",
          "info -f qcow2 @q",
          // What cannot be.
          "create -f qcow2 -o cluster_size=1000 @n 1M",
          "create -f qcow2 -o cluster_size=256 @n 1M",
          "create -f qcow2 -o cluster_size=4M @n 1M",
          "create -f qcow2 -o compat=1.2 @n 1M",
          "create -f qcow2 -o compat=0.10,lazy_refcounts=on @n 1M",
          "create -f qcow2 -o compat=0.10,extended_l2=on @n 1M",
          "create -f qcow2 -o compat=0.10,refcount_bits=8 @n 1M",
          "create -f qcow2 -o refcount_bits=3 @n 1M",
          "create -f qcow2 -o refcount_bits=128 @n 1M",
          "create -f qcow2 -o refcount_bits=abc @n 1M",
          "create -f qcow2 -o compression_type=foo @n 1M",
          "create -f qcow2 -o preallocation=foo @n 1M",
          "create -f qcow2 -o lazy_refcounts=foo @n 1M",
          "create -f qcow2 @n 64P",
          "create -f qcow2 -F raw @n 1M",
          "create -f qcow2 -F raw -b nofile @n",
          "create -f qcow2 -F foo -b data @n",
          "create -f qcow2 -u -F raw -b nofile @n",
          "create -f vpc -o subformat=foo @n 1M",
          "create -f bochs @n 1M",
          "convert -O bochs @data @n",
          "convert -O qcow2 -B @q @data @n",
          "convert -O qcow2 -B @q -F qcow2 @data @hole @n",
          "convert -O qcow2 -o preallocation=foo @data @n",
        }) {
      tools.img(command);
    }
  }

  @Test
  void keepsDataInAnotherFile() throws Exception {
    String write = "write -P 5 128k 64k";
    for (String command :
        new String[] {
          "create -f qcow2 -o data_file=@d @x 1000000",
          "info @x",
          "check @x",
          "map @x",
          "create -f qcow2 -o data_file=@e,data_file_raw=on @y 1M",
          "info @y",
          "check @y",
          "map @y",
          "map --output=json @y",
          "resize @y 2M",
          "map @y",
          "resize --shrink @y 1M",
          "info @y",
          "create -f qcow2 -o data_file=@g,preallocation=metadata @z 1M",
          "map --output=json @z",
          "create -f qcow2 -o data_file_raw=on @n 1M",
          "create -f qcow2 -o data_file=@h,compat=0.10 @n 1M",
          "create -f qcow2 -o data_file=@h,data_file_raw=on -b data -F raw @n 1M",
        }) {
      tools.img(command);
    }
    for (String image : new String[] {"@x", "@y"}) {
      tools.io("-f qcow2 " + image + " ", write, "read -P 5 128k 64k", "map");
      tools.img("map --output=json " + image);
    }
    tools.img("compare -f qcow2 -F qcow2 @x @y");
  }

  @ParameterizedTest
  @CsvSource({"luks,''", "qcow2,encrypt."})
  void opensWhatIsEnciphered(String format, String prefix) throws Exception {
    Path image = folder.resolve("enciphered");
    String secret = "--object secret,id=s,data=abc ";
    List<String> create =
        List.of(
            ("qemu-img create -q "
                    + secret
                    + "-f %1$s -o %2$skey-secret=s,%2$siter-time=10".formatted(format, prefix)
                    + (prefix.isEmpty() ? " " : ",encrypt.format=luks ")
                    + image
                    + " 1M")
                .split(" "));
    int status;
    do {
      // It measures how long a key takes by ticks of the kernel's clock, and gives up at none.
      status = new ProcessBuilder(create).start().waitFor();
    } while (status != 0);
    tools.write("luks", Files.readAllBytes(image));
    String options =
        secret
            + "--image-opts driver=%s,%skey-secret=s,file.filename=@luks "
                .formatted(format, prefix);
    String made = prefix.isEmpty() ? "-f luks " : "-f qcow2 -o encrypt.format=luks ";
    for (String command :
        new String[] {
          "info @luks",
          "info --output=json @luks",
          "check @luks",
          "map @luks",
          "compare @luks @data",
          "resize " + options + "2M",
          "info @luks",
          "convert -n " + options + "--target-image-opts driver=raw,file.filename=@hole",
          "check " + options,
          "map " + options,
          "create " + made + "@new 1M",
          "create "
              + made
              + "-o %1$skey-secret=s,%1$scipher-alg=foo ".formatted(prefix)
              + secret
              + "@new 1M",
        }) {
      tools.img(command);
    }
    tools.io(options, "write -P 5 0 64k", "read -P 5 0 64k", "read -P 6 0 512");
    tools.compareFiles();
  }

  @Test
  void keepsSnapshots() throws Exception {
    for (String command :
        new String[] {
          "convert -f raw -O qcow2 @data @q",
          "snapshot -l @q",
          "snapshot @q",
          "snapshot -c a @q",
          "snapshot -c b -q @q",
          "snapshot -l @q",
          "info @q",
          "snapshot -d zz @q",
          "snapshot -a zz @q",
          "snapshot -d 2 @q",
          "snapshot -d a @q",
          "snapshot -a b @q",
          "snapshot -a 2 @q",
          "snapshot -U -l @q",
          "snapshot @q",
          "snapshot -U @q",
          "snapshot -U -c a @q",
          "check @q",
          "compare @q @data",
          "snapshot -d b @q",
          "check @q",
          "snapshot -c a",
          "snapshot -c",
          "snapshot -a a -d b @q",
          "snapshot -l @data",
          "snapshot -c a @data",
          "snapshot --image-opts -a a driver=raw,file.filename=@data",
          "snapshot -d a @data",
          "snapshot -c a @nofile",
        }) {
      tools.img(command);
    }
  }
}
