// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static dev.spindle.devices.virtio.driver.BlkDriver.DISCARD;
import static dev.spindle.devices.virtio.driver.BlkDriver.GET_ID;
import static dev.spindle.devices.virtio.driver.BlkDriver.IN;
import static dev.spindle.devices.virtio.driver.BlkDriver.IOERR;
import static dev.spindle.devices.virtio.driver.BlkDriver.OK;
import static dev.spindle.devices.virtio.driver.BlkDriver.OUT;
import static dev.spindle.devices.virtio.driver.BlkDriver.UNSUPP;
import static dev.spindle.devices.virtio.driver.BlkDriver.WRITE_ZEROES;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.MemoryRegistration;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.blk.VirtioBlkStats.Counter;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestDriver;
import dev.spindle.linux.LinuxFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a driver may ask of a block device, and what it gets for asking wrongly. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class VirtioBlkDeviceTest {
  private static final int SIZE = 1 << 20;
  private static final int SECTORS = SIZE / 512;
  private static final long SPLIT = 0;
  private static final long PACKED = VirtioFeatures.RING_PACKED;

  private Path image;

  @BeforeEach
  void makeImage() throws Exception {
    image = Files.createTempFile(Path.of("target"), "blk", ".raw");
    image.toFile().deleteOnExit();
    Files.write(image, new byte[SIZE]);
  }

  private BlkFixture fixture(String node, String properties) throws Exception {
    return new BlkFixture("driver=file,node-name=disk,filename=" + image + node, properties, 1);
  }

  private static int run(BlkDriver queue, boolean submitted) {
    assertTrue(submitted);
    queue.kick();
    int slot = queue.await();
    return slot < 0 ? -1 : queue.status(slot);
  }

  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void doesWhatItOffers(long ring) throws Exception {
    try (BlkFixture fixture =
        fixture(",cache.direct=on,discard=unmap", "serial=abc-123,write-cache=on")) {
      fixture.start(ring | VirtioFeatures.INDIRECT_DESC | VirtioFeatures.EVENT_IDX, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, 4096);
      long buffer = queue.buffer(0);
      fixture.memory.writeLong(buffer, 0x1122334455667788L);
      assertEquals(OK, run(queue, queue.transfer(0, OUT, 8, 4096)));
      assertEquals(1, queue.usedLength());
      fixture.memory.writeLong(buffer, 0);
      assertEquals(OK, run(queue, queue.transfer(0, IN, 8, 4096)));
      assertEquals(4097, queue.usedLength());
      assertEquals(0x1122334455667788L, fixture.memory.readLong(buffer));
      assertEquals(OK, run(queue, queue.flush(0)));
      assertEquals(OK, run(queue, queue.range(0, WRITE_ZEROES, 8, 8, 1)));
      assertEquals(OK, run(queue, queue.transfer(0, IN, 8, 512)));
      assertEquals(0, fixture.memory.readLong(buffer));
      assertEquals(OK, run(queue, queue.range(0, DISCARD, 0, SECTORS, 0)));
      assertEquals(OK, run(queue, queue.transfer(0, GET_ID, 0, 20)));
      byte[] id = new byte[20];
      fixture.memory.read(buffer, id);
      assertEquals("abc-123", new String(id, US_ASCII).replace("\0", ""));
    }
  }

  /**
   * Pages that the memory's file has lost (here, so that one can tell) stay those which a ring uses
   * that they are registered with; on another ring, or after the registration, it is today's pages.
   */
  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void registeredMemoryCarriesTheData(long ring) throws Exception {
    SplittableRandom random = new SplittableRandom(11);
    try (BlkFixture fixture = fixture(",cache.direct=on", "")) {
      fixture.start(ring, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, 65536);
      long buffer = queue.buffer(0);
      byte[] data = new byte[65536];
      MemoryRegistration registration =
          fixture.io0.context().registerMemory(fixture.memory.segment());
      assertEquals(0, registration.refusal());
      for (int sectors = 1; sectors <= 128; sectors *= 2) {
        int first = random.nextInt(SECTORS - sectors);
        int bytes = sectors * 512;
        random.nextBytes(data);
        fixture.memory.write(buffer, data);
        assertEquals(OK, run(queue, queue.transfer(0, OUT, first, bytes)));
        assertArrayEquals(Arrays.copyOf(data, bytes), content(first, bytes));
        fixture.memory.slice(buffer, bytes).fill((byte) 0);
        assertEquals(OK, run(queue, queue.transfer(0, IN, first, bytes)));
        assertArrayEquals(data, read(fixture.memory, buffer, data.length));
      }
      punchHole(fixture.memory, buffer, data.length);
      assertEquals(OK, run(queue, queue.transfer(0, OUT, 0, data.length)));
      assertArrayEquals(data, content(0, data.length));
      fixture.move(fixture.io1);
      assertEquals(OK, run(queue, queue.transfer(0, OUT, 0, data.length)));
      assertArrayEquals(new byte[data.length], content(0, data.length));
      registration.close();
      fixture.move(fixture.io0);
      fixture.memory.write(buffer, data);
      assertEquals(OK, run(queue, queue.transfer(0, OUT, 0, data.length)));
      assertArrayEquals(data, content(0, data.length));
    }
  }

  private byte[] content(int sector, int bytes) throws Exception {
    byte[] content = Files.readAllBytes(image);
    return Arrays.copyOfRange(content, sector * 512, sector * 512 + bytes);
  }

  private static byte[] read(GuestMemory memory, long address, int length) {
    byte[] bytes = new byte[length];
    memory.read(address, bytes);
    return bytes;
  }

  private static void punchHole(GuestMemory memory, long address, long length) throws Exception {
    try (LinuxFile file = LinuxFile.adopt(memory.file().duplicate(), Path.of("memfd"))) {
      file.punchHole(memory.offsetOf(address, length), length);
    }
  }

  @Test
  void aShortBufferForTheIdGetsItsPart() throws Exception {
    try (BlkFixture fixture = fixture("", "serial=abcdefghijklmnopqrst")) {
      fixture.start(0, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, 4096);
      fixture.memory.writeLong(queue.buffer(0), -1);
      assertEquals(OK, run(queue, queue.transfer(0, GET_ID, 0, 3)));
      assertEquals(4, queue.usedLength());
      byte[] answer = new byte[4];
      fixture.memory.read(queue.buffer(0), answer);
      assertEquals("abc", new String(answer, 0, 3, US_ASCII));
      assertEquals((byte) -1, answer[3]);
    }
  }

  @Test
  void refusesWhatItCannotDo() throws Exception {
    try (BlkFixture fixture = fixture("", "max-discard-sectors=64,max-write-zeroes-sectors=64")) {
      GuestDriver driver = fixture.start(0, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, 4096);
      assertEquals(UNSUPP, run(queue, queue.transfer(0, 99, 0, 512)));
      assertEquals(IOERR, run(queue, queue.transfer(0, IN, SECTORS, 512)));
      assertEquals(0, queue.usedLength(), "claimed to have written data");
      assertEquals(IOERR, run(queue, queue.transfer(0, OUT, SECTORS - 1, 1024)));
      assertEquals(IOERR, run(queue, queue.transfer(0, IN, -1, 512)));
      assertEquals(IOERR, run(queue, queue.transfer(0, IN, 1L << 55, 512)));
      assertEquals(IOERR, run(queue, queue.transfer(0, OUT, 0, 511)));
      assertEquals(UNSUPP, run(queue, queue.range(0, DISCARD, 0, 8, 1)));
      assertEquals(UNSUPP, run(queue, queue.range(0, WRITE_ZEROES, 0, 8, 2)));
      assertEquals(IOERR, run(queue, queue.range(0, DISCARD, 0, 65, 0)));
      assertEquals(IOERR, run(queue, queue.range(0, WRITE_ZEROES, SECTORS - 1, 2, 0)));
      assertEquals(IOERR, run(queue, queue.range(0, DISCARD, -1, 1, 0)));
      assertEquals(IOERR, run(queue, queue.range(0, DISCARD, 0, -1, 0)));
      assertNull(driver.resetReason());
      assertEquals(OK, run(queue, queue.transfer(0, IN, 0, 512)));
    }
    assertEquals(SIZE, Files.size(image));
  }

  @Test
  void aReadOnlyDiskStaysAsItIs() throws Exception {
    try (BlkFixture fixture = fixture(",read-only=on", "")) {
      assertNotEquals(0, fixture.device.features() & VirtioBlkFeatures.RO);
      fixture.start(0, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, 4096);
      assertEquals(IOERR, run(queue, queue.transfer(0, OUT, 0, 512)));
      assertEquals(OK, run(queue, queue.transfer(0, IN, 0, 512)));
      assertEquals(OK, run(queue, queue.flush(0)));
    }
  }

  @Test
  void whatWasNotNegotiatedIsUnsupported() throws Exception {
    try (BlkFixture fixture = fixture("", "")) {
      fixture.start(0, 0, 1);
      BlkDriver queue = fixture.queue(0, 1, 4096);
      assertEquals(UNSUPP, run(queue, queue.range(0, DISCARD, 0, 8, 0)));
      assertEquals(UNSUPP, run(queue, queue.range(0, WRITE_ZEROES, 0, 8, 0)));
      assertTrue(fixture.device.backend().writeThrough(), "a driver without FLUSH may lose data");
    }
  }

  @Test
  void theDriverSwitchesTheWriteCache() throws Exception {
    try (BlkFixture fixture = fixture("", "")) {
      fixture.start(0, -1, 1);
      assertEquals(false, fixture.device.backend().writeThrough());
      fixture.device.writeConfig(32, 1, 0);
      assertTrue(fixture.device.backend().writeThrough());
      assertEquals(0, fixture.device.configSpace().read(32, 1));
      BlkDriver queue = fixture.queue(0, 1, 4096);
      assertEquals(OK, run(queue, queue.transfer(0, OUT, 0, 512)));
      fixture.device.writeConfig(32, 1, 1);
      assertEquals(false, fixture.device.backend().writeThrough());
    }
  }

  /** A request that cannot even be answered takes the device, and nothing else, out of service. */
  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void aRequestWithoutStatusOrHeaderNeedsAReset(long ring) throws Exception {
    for (boolean withStatus : new boolean[] {false, true}) {
      try (BlkFixture fixture = fixture("", "")) {
        GuestDriver driver = fixture.start(ring, -1, 1);
        long address = fixture.area.allocate(4096, 4096);
        DriverQueue queue = driver.queue(0);
        queue.readable(address, withStatus ? 15 : 16);
        if (withStatus) {
          queue.writable(address + 512, 1);
        }
        assertTrue(queue.submit(0));
        driver.kick(0);
        while (driver.resetReason() == null) {
          Thread.onSpinWait();
        }
        assertNotNull(driver.resetReason());
        driver.close();
        // After the reset it serves a new driver.
        fixture.start(ring, -1, 1);
        BlkDriver again = fixture.queue(0, 1, 4096);
        assertEquals(OK, run(again, again.transfer(0, IN, 0, 512)));
      }
    }
  }

  /** Neither a move nor a stop is the reset that the device needs. */
  @ParameterizedTest
  @ValueSource(longs = {SPLIT, PACKED})
  void aDeviceThatNeedsAResetServesNothingAfterAMove(long ring) throws Exception {
    try (BlkFixture fixture = fixture("", "")) {
      GuestDriver driver = fixture.start(ring, -1, 1);
      BlkDriver requests = fixture.queue(0, 1, 4096);
      DriverQueue queue = driver.queue(0);
      queue.readable(fixture.area.allocate(4096, 4096), 16);
      assertTrue(queue.submit(0));
      driver.kick(0);
      while (driver.resetReason() == null) {
        Thread.onSpinWait();
      }
      assertTrue(requests.transfer(0, IN, 0, 512));
      requests.kick();
      fixture.move(fixture.io1);
      fixture.move(fixture.io0);
      // Each move has waited for what the queue took, so it would be counted by now.
      assertEquals(
          0,
          fixture.mainLoop.<Long, Exception>control(
              "stats", () -> fixture.device.queueStats().get(0).get(Counter.READS)));
    }
  }

  /** Layout is the driver's choice: a header in pieces, data beside the status. */
  @Test
  void piecesMayLieAnywhere() throws Exception {
    try (BlkFixture fixture = fixture(",cache.direct=on", "")) {
      GuestDriver driver = fixture.start(0, -1, 1);
      long address = fixture.area.allocate(8192, 4096);
      SplittableRandom random = new SplittableRandom(5);
      byte[] pattern = new byte[1024];
      random.nextBytes(pattern);
      DriverQueue queue = driver.queue(0);
      fixture.memory.writeInt(address, OUT);
      fixture.memory.writeInt(address + 4, 0);
      fixture.memory.writeLong(address + 8, 2);
      fixture.memory.write(address + 16, pattern);
      queue.readable(address, 5);
      queue.readable(address + 5, 11 + 100);
      queue.readable(address + 116, 924);
      queue.writable(address + 4096, 1);
      submitAndWait(driver, queue);
      assertEquals(OK, fixture.memory.readByte(address + 4096));

      fixture.memory.writeInt(address, IN);
      queue.readable(address, 16);
      queue.writable(address + 4096, 1000);
      queue.writable(address + 5096, 25);
      submitAndWait(driver, queue);
      byte[] read = new byte[1024];
      fixture.memory.read(address + 4096, read);
      assertArrayEquals(pattern, read);
      assertEquals(OK, fixture.memory.readByte(address + 4096 + 1024));
      assertEquals(1025, queue.usedLength());
    }
  }

  private static void submitAndWait(GuestDriver driver, DriverQueue queue) {
    assertTrue(queue.submit(0));
    driver.kick(0);
    while (!queue.reap()) {
      driver.awaitUsed(0);
    }
  }
}
