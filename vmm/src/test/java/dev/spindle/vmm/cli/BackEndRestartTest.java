// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A vhost-user back end is killed again and again while fio writes to its disk through a node of a
 * daemon's, and reads back: the node sends what was on its way once more.
 */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BackEndRestartTest {
  private static final int MOST_KILLS = 4;
  private static final long BYTES = 32L << 20;

  /** Who is killed. */
  enum BackEnd {
    SPINDLE,
    QEMU
  }

  @TempDir Path folder;
  private final List<Process> started = new ArrayList<>();

  @BeforeEach
  void makeDisk() throws Exception {
    try (RandomAccessFile file = new RandomAccessFile(folder.resolve("disk.img").toFile(), "rw")) {
      file.setLength(BYTES);
    }
  }

  @AfterEach
  void end() throws Exception {
    for (Process process : started.reversed()) {
      process.destroyForcibly().waitFor();
    }
  }

  private Process started(ProcessBuilder builder) throws Exception {
    Process process = builder.start();
    started.add(process);
    return process;
  }

  /** Returns once it has written its number. */
  private Process startServing(ProcessBuilder builder, String pidFile) throws Exception {
    Path path = folder.resolve(pidFile);
    Files.deleteIfExists(path);
    Process process = started(builder);
    while (process.isAlive() && (!Files.exists(path) || Files.size(path) == 0)) {
      Thread.onSpinWait();
    }
    assertTrue(process.isAlive());
    return process;
  }

  private Process startBackEnd(BackEnd kind) throws Exception {
    List<String> options =
        List.of(
            "--object=iothread,id=io0",
            "--blockdev=driver=file,node-name=disk,cache.direct=on,filename=disk.img",
            "--export=type=vhost-user-blk,id=e,node-name=disk,writable=on,iothread=io0,"
                + "num-queues=2,addr.type=unix,addr.path=back.sock",
            "--pidfile=back.pid");
    List<String> line =
        new ArrayList<>(List.of(kind == BackEnd.QEMU ? "qemu-storage-daemon" : "storage-daemon"));
    line.addAll(options);
    ProcessBuilder builder =
        kind == BackEnd.QEMU
            ? new ProcessBuilder(line).directory(folder.toFile())
            : SpindleProcess.prepare(folder, List.of(), line.toArray(String[]::new));
    return startServing(builder.inheritIO(), "back.pid");
  }

  private Process startFrontEnd(int reconnectDelay) throws Exception {
    return startServing(
        SpindleProcess.prepare(
                folder,
                List.of(),
                "storage-daemon",
                "--object=iothread,id=io0",
                "--blockdev=driver=virtio-blk-vhost-user,node-name=disk,path=back.sock,num-queues=2,"
                    + "reconnect-delay="
                    + reconnectDelay,
                "--nbd-server=addr.type=unix,addr.path=nbd.sock",
                "--export=type=nbd,id=e,node-name=disk,writable=on,iothread=io0",
                "--pidfile=front.pid")
            .redirectError(folder.resolve("front.log").toFile()),
        "front.pid");
  }

  private ProcessBuilder client(String... command) {
    return new ProcessBuilder(command)
        .directory(folder.toFile())
        .redirectErrorStream(true)
        .redirectOutput(folder.resolve("client.log").toFile());
  }

  @ParameterizedTest
  @EnumSource
  void noRequestIsLostWhenItIsKilledAndComesBack(BackEnd kind) throws Exception {
    Process backEnd = startBackEnd(kind);
    Process frontEnd = startFrontEnd(600);
    // So slow that there is something to disturb; the kills come while it writes, and while it
    // reads back.
    Process fio =
        started(
            client(
                "fio",
                "--name=verify",
                "--ioengine=nbd",
                "--uri=nbd+unix:///disk?socket=nbd.sock",
                "--rw=randwrite",
                "--bs=4k",
                "--iodepth=32",
                "--size=" + BYTES,
                "--rate_iops=2000,2000",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--verify_state_save=0",
                "--randseed=5"));
    int kills = 0;
    while (!fio.waitFor(1500, TimeUnit.MILLISECONDS)) {
      if (kills < MOST_KILLS) {
        backEnd.destroyForcibly().waitFor();
        kills++;
        backEnd = startBackEnd(kind);
      }
    }
    String said = Files.readString(folder.resolve("client.log"));
    assertEquals(0, fio.exitValue(), said);
    assertTrue(kills > 0, said);
    frontEnd.toHandle().destroy();
    assertEquals(0, frontEnd.waitFor(), Files.readString(folder.resolve("front.log")));
    backEnd.toHandle().destroy();
    assertEquals(0, backEnd.waitFor());
  }

  @Test
  void requestsFailWithAWordInTheLogWhenItDoesNotComeBack() throws Exception {
    Process backEnd = startBackEnd(BackEnd.QEMU);
    Process frontEnd = startFrontEnd(1);
    backEnd.destroyForcibly().waitFor();
    Process reader =
        started(
            client("qemu-io", "-f", "raw", "-c", "read 0 4k", "nbd+unix:///disk?socket=nbd.sock"));
    assertEquals(1, reader.waitFor());
    String said = Files.readString(folder.resolve("client.log"), UTF_8);
    assertTrue(said.contains("read failed: Input/output error"), said);
    frontEnd.toHandle().destroy();
    // What was written before might not be durable, and nobody is there to say that it is.
    assertEquals(1, frontEnd.waitFor());
    String log = Files.readString(folder.resolve("front.log"), UTF_8);
    assertTrue(
        log.contains(
            "node 'disk': the vhost-user back end at back.sock is gone; requests wait 1 s for it to"
                + " come back"),
        log);
    assertTrue(
        log.contains(
            "node 'disk': the vhost-user back end at back.sock has not come back; requests fail"),
        log);
  }
}
