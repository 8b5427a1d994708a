// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code io} beside qemu-io. */
final class IoSideBySideTest {
  @TempDir Path folder;
  private SideBySide tools;

  @BeforeEach
  void makeImages() throws Exception {
    tools = new SideBySide(folder);
    tools.hole("image", 1 << 20);
    tools.write("pattern", new byte[] {1, 2, 3});
  }

  @AfterEach
  void assertAlike() {
    tools.assertAlike();
  }

  @Test
  void runsSingleCommands() throws Exception {
    for (String command :
        new String[] {
          "read 0 4096",
          "read -q 0 4096",
          "read -v 500 40",
          "read -C 0 4096",
          "read -P 1 0 512",
          "read -P 1 -s 2 -l 10 0 512",
          "read -P zz 0 512",
          "read -P 300 0 512",
          "read 0",
          "read a 512",
          "read 0 b",
          "read -- -1 512",
          "read 0 3G",
          "read 1M 512",
          "read -s 500 0 512",
          "read -P 0 -s 600 0 512",
          "read -P 0 -l 600 0 512",
          "read -Z 0 512",
          "read -P",
          "read 0 512 -P",
          "read -l 4 0 512",
          "read -b 0 512",
          "write 0 4k",
          "write -z 0 4k",
          "write -zu 0 4k",
          "write -u 0 4k",
          "write -n 0 4k",
          "write -zn 0 4k",
          "write -c 0 4k",
          "write -zP 3 0 4k",
          "write -f 0 4k",
          "write -p 3 5",
          "write -s @nofile 0 4k",
          "write -s @pattern 0 4k",
          "read -v 0 16",
          "write -b 0 512",
          "write -zs @pattern 0 512",
          "write 0 512 512",
          "write -bz 0 512",
          "write 1M 512",
          "readv 0 512 512",
          "readv -v 0 16",
          "readv 0",
          "readv 0 a",
          "readv -P 7 0 512",
          "writev -P 7 0 512 1k",
          "writev -f -q 0 512",
          "readv 0 511",
          "readv 1M 512",
          "writev 1M 512",
          "writev 1 511",
          "aio_read 0 512",
          "aio_read -P 9 0 512 512",
          "aio_read -v 0 16",
          "aio_read -i 0 512",
          "aio_write -i 0 512",
          "aio_write -z 0 512 512",
          "aio_write -u 0 512",
          "aio_write -z 0 512",
          "aio_write 1M 512",
          "aio_read 1M 512",
          "aio_write 0 512",
          "flush",
          "length",
          "length 2",
          "map",
          "alloc 0",
          "alloc 0 1024",
          "alloc 0 7",
          "alloc",
          "alloc 0 1G",
          "alloc a",
          "truncate 2M",
          "truncate",
          "truncate a",
          "truncate -m foo 2M",
          "truncate -m full 3M",
          "truncate 1M",
          "discard 0 4k",
          "discard -q 0 4k",
          "discard -C 0 4k",
          "discard 0 4G",
          "discard 7 9",
          "reopen",
          "reopen -w",
          "reopen -c foo",
          "reopen -o a=b",
          "reopen -r -w",
          "break a b",
          "resume a",
          "remove_break a",
          "sleep 1",
          "sleep",
          "sleep a",
          "open @image",
          "open -z",
          "info",
          "help foo",
          "foo",
          "quit",
        }) {
      tools.io("-f raw @image", command);
      tools.compareFiles();
    }
  }

  @Test
  void runsSeveralCommands() throws Exception {
    tools.io("-f raw @image", "length", "foo", "length");
    tools.io("-f raw @image", "quit", "length");
    tools.io("-f raw @image", "close", "length");
    tools.io("-f raw @image", "close", "open @image", "length");
    tools.io("-f raw @image", "reopen -r", "write 0 512", "reopen -w", "write 0 512");
    tools.io("-f raw @image", "aio_write -P 1 0 512", "aio_flush", "read -P 1 0 512");
    tools.io("-f raw @image", "write -p 0 513", "write -p 1 511", "", "r 0 512", "w 0 512");
    tools.io("-f raw -r @image", "write 0 512", "aio_write 0 512", "discard 0 512", "truncate 1");
    tools.io("-n -f raw @image", "write -P 5 0 4k", "read -P 5 100 200");
    tools.io("-t directsync -f raw @image", "write -P 5 0 4k", "read -P 5 100 200");
    tools.io("", "open -r @image", "write 0 512");
    tools.io("", "open -o driver=raw,file.filename=@image", "length");
    tools.io("", "open -o driver=raw,offset=1k @image", "length");
    tools.io("", "open @nofile", "length");
    tools.io("--image-opts driver=raw,file.filename=@image", "length");
    tools.io("blkdebug::@image", "break foo A", "resume foo", "remove_break foo");
    tools.io(
        "-f raw blkdebug::@image",
        "break write_aio A",
        "aio_write 0 512",
        "wait_break A",
        "write 4k 4k",
        "resume A",
        "aio_flush");
    tools.compareFiles();
  }

  @Test
  void refusesWhatItCannotOpen() throws Exception {
    tools.io("@nofile", "length");
    tools.io("-f foo @image", "length");
    tools.io("-t foo @image", "length");
    tools.io("-i foo @image", "length");
    tools.io("-d foo @image", "length");
    tools.io("-U @image", "length");
    tools.io("foo:bar", "length");
    tools.io("@image", "length");
  }

  @Test
  void takesCommandsFromItsInput() throws Exception {
    tools.ioInput("-f raw @image", "");
    tools.ioInput("-f raw @image", "length\nfoo\n\nquit\nlength\n");
    tools.ioInput("-f raw @image", "write -P 3 1k 3k\nread -v 2k 16\n");
  }

  @Test
  void leavesTheSameBehind() throws Exception {
    Random random = new Random(20);
    for (int i = 0; i < 20; i++) {
      List<String> commands = new ArrayList<>();
      for (int j = 0; j < 20; j++) {
        int offset = random.nextInt(1 << 20);
        int length = 1 + random.nextInt(Math.min(100_000, (1 << 20) - offset));
        String range = " " + offset + " " + length;
        commands.add(
            switch (random.nextInt(7)) {
              case 0 -> "write -P " + random.nextInt(256) + range;
              case 1 -> "writev -P " + random.nextInt(256) + range;
              case 2 -> "write -z" + range;
              case 3 -> "write -zu" + range;
              case 4 -> "read -v " + offset + " 1";
              case 5 -> "read -P 7" + range;
              default -> "flush";
            });
      }
      tools.io("-f raw @image", commands.toArray(String[]::new));
      tools.compareFiles();
    }
  }
}
