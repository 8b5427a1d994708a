// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The drivers of {@code docs/examples} behind an export, as the tutorial has it. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class DriverExportTest {
  private static final Path EXAMPLES = Path.of("..", "docs", "examples").toAbsolutePath();
  private static final int SIZE = 16 << 20;

  @TempDir Path folder;

  /** Every second megabyte is a hole. */
  private static final String HOLES =
      """
      import dev.spindle.block.plugin.*;
      import java.lang.foreign.MemorySegment;

      class Holes implements DiskDriver {
        public long size() { return 4 << 20; }

        public void read(MemorySegment data, long offset) { data.fill((byte) 0); }

        public Extent extent(long offset, long length) {
          long left = (1 << 20) - offset % (1 << 20);
          return (offset >> 20 & 1) == 0 ? Extent.data(left) : Extent.hole(left);
        }
      }
      """;

  @Test
  void nbdinfoSeesItsHoles() throws Exception {
    Files.writeString(folder.resolve("Holes.java"), HOLES);
    Process daemon =
        SpindleProcess.prepare(
                folder,
                List.of(),
                "storage-daemon",
                "--blockdev=driver=java,node-name=disk,source=Holes.java",
                "--nbd-server=addr.type=unix,addr.path=nbd.sock",
                "--export=type=nbd,id=disk,node-name=disk",
                "--pidfile=pid")
            .start();
    try {
      while (daemon.isAlive() && !Files.exists(folder.resolve("pid"))) {
        Thread.onSpinWait();
      }
      Process info =
          new ProcessBuilder("nbdinfo", "--map", "nbd+unix:///disk?socket=nbd.sock")
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .start();
      String map = new String(info.getInputStream().readAllBytes(), UTF_8);
      assertEquals(0, info.waitFor(), map);
      assertEquals(
          """
          0 1048576 0 data
          1048576 1048576 3 hole,zero
          2097152 1048576 0 data
          3145728 1048576 3 hole,zero
          """,
          map.replaceAll(" +", " ").replaceAll("(?m)^ ", ""));
    } finally {
      daemon.destroy();
      assertEquals(0, daemon.waitFor());
    }
  }

  /** More than the JVM allows by default, with a heap as small as Spindle's. */
  @Test
  void aDiskInMemoryMayBeLarge() throws Exception {
    SpindleProcess.Outcome outcome =
        SpindleProcess.finish(
            SpindleProcess.prepare(
                folder,
                List.of(),
                "graph",
                "--blockdev",
                "driver=java,node-name=ram,size=160M,source=" + EXAMPLES.resolve("Ram.java")));
    assertEquals("", outcome.err());
    assertEquals(0, outcome.status());
    SpindleProcess.finish(
            SpindleProcess.prepare(
                folder,
                List.of(),
                "graph",
                "--blockdev",
                "driver=java,node-name=ram,size=1P,source=" + EXAMPLES.resolve("Ram.java")))
        .assertRefusal(
            1,
            ("--blockdev ram: Driver 'Ram' of %s could not be opened: there is not enough memory"
                    + " (Ram.java:22)")
                .formatted(EXAMPLES.resolve("Ram.java")));
  }

  /** fio writes all of an encrypted disk in memory, and reads it back, through all three. */
  @Test
  void fioVerifiesWhatGoesThroughThreeOfThem() throws Exception {
    Path report = folder.resolve("totals.txt");
    Path pidFile = folder.resolve("daemon.pid");
    Files.write(folder.resolve("key"), new byte[32]);
    SpindleProcess.Outcome outcome =
        SpindleProcess.finish(
            SpindleProcess.prepare(
                folder,
                List.of(),
                "storage-daemon",
                "--object",
                "iothread,id=io0",
                "--blockdev",
                ("driver=java,node-name=disk,key-file=key,source=%1$s/Encrypt.java,"
                     + "file.driver=java,file.source=%1$s/Count.java,file.report=totals.txt,"
                     + "file.file.driver=java,file.file.source=%1$s/Ram.java,file.file.size=%2$d")
                    .formatted(EXAMPLES, SIZE),
                "--nbd-server",
                "addr.type=unix,addr.path=nbd.sock",
                "--export",
                "type=nbd,id=disk,node-name=disk,writable=on,iothread=io0",
                "--daemonize",
                "--pidfile",
                pidFile.toString()));
    assertEquals(new SpindleProcess.Outcome(0, "", ""), outcome);
    ProcessHandle daemon =
        ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip())).orElseThrow();
    try {
      Process fio =
          new ProcessBuilder(
                  "fio",
                  "--name=verify",
                  "--ioengine=nbd",
                  "--uri=nbd+unix:///disk?socket=nbd.sock",
                  "--size=" + SIZE,
                  "--rw=randwrite",
                  "--bsrange=512-64k",
                  "--iodepth=16",
                  "--verify=crc32c",
                  "--randseed=1")
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .start();
      String said = new String(fio.getInputStream().readAllBytes(), UTF_8);
      assertEquals(0, fio.waitFor(), said);
    } finally {
      daemon.destroy();
      daemon.onExit().join();
    }
    Matcher totals =
        Pattern.compile("reads \\d+ \\((\\d+) bytes\\), writes \\d+ \\((\\d+) bytes\\), .*\n")
            .matcher(Files.readString(report));
    assertTrue(totals.matches(), () -> "no totals");
    assertTrue(Long.parseLong(totals.group(1)) >= SIZE, totals::group);
    assertTrue(Long.parseLong(totals.group(2)) >= SIZE, totals::group);
  }
}
