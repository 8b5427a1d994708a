// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static dev.spindle.devices.virtio.driver.BlkDriver.IN;
import static dev.spindle.devices.virtio.driver.BlkDriver.IOERR;
import static dev.spindle.devices.virtio.driver.BlkDriver.OK;
import static dev.spindle.devices.virtio.driver.BlkDriver.OUT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.job.ErrorAction;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.linux.Errno;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What becomes of a disk's failed requests. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ErrorPolicyTest {
  private static final int BLOCK = 4096;

  @TempDir Path folder;

  private final BlockingQueue<ErrorAction> told = new LinkedBlockingQueue<>();
  private Path image;
  private BlkFixture fixture;
  private BlkDriver queue;

  /** A disk whose next write, or read, fails. */
  private void open(String iotype, int errno, String properties) throws Exception {
    image = Files.write(folder.resolve("disk"), new byte[1 << 20]);
    fixture =
        new BlkFixture(
            "driver=blkdebug,node-name=disk,inject-error.0.event=none,inject-error.0.iotype=%s,inject-error.0.errno=%d"
                    .formatted(iotype, errno)
                + ",inject-error.0.once=on,image.driver=file,image.filename="
                + image,
            properties,
            1);
    fixture.device.onIoError((operation, action, number) -> told.add(action));
    fixture.start(0, -1, 1);
    queue = fixture.queue(0, 1, BLOCK);
  }

  private void submit(int type) {
    fixture.memory.slice(queue.buffer(0), BLOCK).fill((byte) 7);
    assertTrue(queue.transfer(0, type, 8, BLOCK));
    queue.kick();
  }

  private void assertWritten() throws Exception {
    assertEquals(7, Files.readAllBytes(image)[BLOCK]);
  }

  @ParameterizedTest
  @CsvSource({
    "write, 28, werror=report, 1, REPORT",
    "write, 28, werror=ignore, 0, IGNORE",
    "write, 5, '', 1, REPORT",
    "write, 5, 'werror=enospc,rerror=stop', 1, REPORT",
    "read, 28, 'werror=stop', 1, REPORT",
    "read, 5, rerror=ignore, 0, IGNORE"
  })
  void theGuestIsToldOrNot(
      String iotype, int errno, String properties, int status, ErrorAction action)
      throws Exception {
    open(iotype, errno, properties);
    try (BlkFixture _ = fixture) {
      submit(iotype.equals("write") ? OUT : IN);
      assertEquals(0, queue.await());
      assertEquals(status == 0 ? OK : IOERR, queue.status(0));
      assertEquals(action, told.take());
      assertEquals(IoStatus.OK, fixture.device.ioStatus());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "write, 28, '', NOSPACE",
    "write, 5, werror=stop, FAILED",
    "read, 5, rerror=stop, FAILED"
  })
  void aRequestIsKeptAndSentAgainWhereverTheDiskIsByThen(
      String iotype, int errno, String properties, IoStatus status) throws Exception {
    open(iotype, errno, properties);
    try (BlkFixture _ = fixture) {
      boolean write = iotype.equals("write");
      submit(write ? OUT : IN);
      assertEquals(ErrorAction.STOP, told.take());
      assertEquals(status, fixture.device.ioStatus());
      // As a machine does that stops for it; the section waits for nothing that is kept.
      fixture.control(fixture.device::quiesce);
      fixture.move(fixture.io1);
      assertEquals(-1, queue.reap(), "it has been answered");
      fixture.control(fixture.device::resume);
      assertEquals(0, queue.await());
      assertEquals(OK, queue.status(0));
      assertEquals(1, queueStat(write));
      if (write) {
        assertWritten();
      } else {
        assertEquals(0, fixture.memory.slice(queue.buffer(0), BLOCK).get(ValueLayout.JAVA_BYTE, 0));
      }
    }
  }

  private long queueStat(boolean write) {
    return fixture
        .device
        .queueStats()
        .getFirst()
        .get(write ? VirtioBlkStats.Counter.WRITES : VirtioBlkStats.Counter.READS);
  }

  @Test
  void aResetDropsWhatIsKept() throws Exception {
    open("write", Errno.ENOSPC, "");
    try (BlkFixture _ = fixture) {
      submit(OUT);
      assertEquals(ErrorAction.STOP, told.take());
      fixture.control(fixture.device::quiesce);
      fixture.start(0, -1, 1);
      fixture.control(fixture.device::resume);
      queue = fixture.queue(0, 1, BLOCK);
      submit(IN);
      assertEquals(0, queue.await());
      assertEquals(0, Files.readAllBytes(image)[BLOCK], "it has been written after all");
    }
  }
}
