// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.vmm.guest.QemuGuest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The daemon is killed again and again while a guest in QEMU writes and reads back: QEMU connects
 * to the next one, which finds the requests that were under way, and the guest notices nothing.
 */
@Timeout(value = 900, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class StorageDaemonRestartTest {
  private static final int MOST_KILLS = 3;

  @TempDir Path folder;

  private Process startDaemon(Path data) throws Exception {
    Path pidFile = folder.resolve("daemon.pid");
    Files.deleteIfExists(pidFile);
    // Its coming back tells that the daemon is ready; the other socket stays as the kill left it.
    Files.deleteIfExists(folder.resolve("data.sock"));
    ProcessBuilder builder =
        SpindleProcess.prepare(
            folder,
            List.of(),
            "storage-daemon",
            "--object=iothread,id=io0",
            "--blockdev=driver=file,node-name=root,read-only=on,filename=" + QemuGuest.rootDisk(),
            "--blockdev=driver=file,node-name=data,cache.direct=on,filename=" + data,
            "--export=vhost-user-blk,id=root,node-name=root,addr.type=unix,addr.path=root.sock",
            "--export=vhost-user-blk,id=data,node-name=data,writable=on,iothread=io0,"
                + "num-queues=2,addr.type=unix,addr.path=data.sock",
            "--pidfile=" + pidFile);
    builder.environment().put("SPINDLE_LOG", "debug");
    Process daemon =
        builder
            .redirectError(ProcessBuilder.Redirect.appendTo(folder.resolve("log").toFile()))
            .start();
    while (daemon.isAlive() && !Files.exists(folder.resolve("data.sock"))) {
      Thread.onSpinWait();
    }
    assertTrue(daemon.isAlive());
    return daemon;
  }

  /** What is on its way is noted in other ways in rings of the two formats. */
  @ParameterizedTest
  @ValueSource(strings = {"off", "on"})
  void aGuestDoesNotNoticeThatTheDaemonIsKilled(String packed) throws Exception {
    QemuGuest guest = new QemuGuest(folder);
    Path data = guest.makeDataDisk();
    Process daemon = startDaemon(data);
    Process qemu = guest.start(48, ",reconnect=1", ",packed=" + packed);
    int kills = 0;
    try {
      // Early for the first time, then with a while for the guest to go on in between.
      while (!qemu.waitFor(kills == 0 ? 50 : 2000, TimeUnit.MILLISECONDS)) {
        if (kills < MOST_KILLS && guest.isVerifying()) {
          daemon.destroyForcibly().waitFor();
          kills++;
          daemon = startDaemon(data);
        }
      }
      guest.assertVerified(qemu);
      // How many fit in depends on how fast the guest is.
      assertTrue(kills > 0);
      daemon.toHandle().destroy();
      assertEquals(0, daemon.waitFor());
      assertEquals(packed.equals("on"), hasPackedRings());
    } finally {
      qemu.destroyForcibly().waitFor();
      daemon.destroyForcibly().waitFor();
    }
  }

  /** What QEMU and the guest have agreed on, of all their connections. */
  private boolean hasPackedRings() throws Exception {
    return Files.readString(folder.resolve("log"))
        .lines()
        .filter(line -> line.contains("'data': its client has features"))
        .map(line -> Long.parseUnsignedLong(line.replaceAll(".*0x", ""), 16))
        .anyMatch(features -> (features & VirtioFeatures.RING_PACKED) != 0);
  }
}
