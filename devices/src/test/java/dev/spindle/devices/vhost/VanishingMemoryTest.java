// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryRegion;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.Region;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.MemFd;
import dev.spindle.linux.OpenFlag;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Memory of a client's whose pages may be gone when they are looked at. */
class VanishingMemoryTest extends AttackedExport {
  private final List<Path> pages = new ArrayList<>();

  @AfterEach
  void delete() throws IOException {
    for (Path page : pages) {
      Files.delete(page);
    }
  }

  /** A file that no seal can be put on might be cut off under the queue. */
  @Test
  void memoryThatCouldVanish() throws Exception {
    Path file = Files.write(folder.resolve("ram"), new byte[(int) TestFrontEnd.MEMORY_BYTES]);
    try (LinuxFile ram = LinuxFile.open(file, OpenFlag.READ_WRITE)) {
      hangsUpOn(
          client ->
              client.send(
                  VhostUserRequest.SET_MEM_TABLE,
                  new MemoryTable(List.of(TestFrontEnd.region(0, TestFrontEnd.MEMORY_BYTES, 0))),
                  ram.fd()));
    }
  }

  /** Nor may the kernel be kept waiting for a page of it, as a file system of FUSE could. */
  @Test
  void memoryThatIsOnADisk() throws Exception {
    Path file = Files.write(folder.resolve("ram"), new byte[4096]);
    try (LinuxFile ram = LinuxFile.open(file, OpenFlag.READ_WRITE);
        TestFrontEnd client = new TestFrontEnd()) {
      assumeFalse(MemFd.isMemory(ram.fd()));
      client.connect(serveLeniently());
      client.negotiate();
      client.send(
          VhostUserRequest.ADD_MEM_REG,
          new MemoryRegion(new Region(0, 4096, 1L << 46, 0)),
          ram.fd());
      client.awaitHangUp();
    }
    world.exports.close("lenient");
  }

  /** A hole in it would be filled from a pool that may be empty: to be copied, or not taken. */
  @Test
  void memoryOfHugePages() throws Exception {
    try (MemFd ram = MemFd.create("huge", 2 << 20, MemFd.Pages.HUGE_2M)) {
      hangsUpOn(
          client ->
              client.send(
                  VhostUserRequest.ADD_MEM_REG,
                  new MemoryRegion(new Region(0, 2 << 20, 1L << 46, 0)),
                  ram.fd()));
      hangsUpOn(
          client ->
              client.send(VhostUserRequest.SET_INFLIGHT_FD, new Inflight(4096, 0, 1, 8), ram.fd()));
    }
  }

  /** Serves the attacked node to clients that are trusted not to cut their memory off. */
  private Path serveLeniently() throws Exception {
    Path lenient = folder.resolve("lenient.sock");
    world.export(
        "vhost-user-blk,id=lenient,node-name=attacked,writable=on,unsealed-memory=on,"
            + "addr.type=unix,addr.path="
            + lenient);
    return lenient;
  }

  /**
   * Starts a queue that is in memory that stays, with a page elsewhere that vanishes then.
   *
   * @param at the page's address
   */
  private void startWithVanishingPage(TestFrontEnd client, long at) throws Exception {
    Path file = startWithUnsealedPage(client, at);
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(0);
    }
  }

  private Path startWithUnsealedPage(TestFrontEnd client, long at) throws Exception {
    Path file = Files.createTempFile(Path.of("/dev/shm"), "spindle-test", "");
    pages.add(file);
    Files.write(file, new byte[4096]);
    try (LinuxFile ram = LinuxFile.open(file, OpenFlag.READ_WRITE)) {
      client.negotiate();
      client.send(
          VhostUserRequest.SET_MEM_TABLE,
          new MemoryTable(
              List.of(
                  TestFrontEnd.region(0, TestFrontEnd.MEMORY_BYTES, 0),
                  new Region(at, 4096, 1L << 46, 0))),
          client.memory.file(),
          ram.fd());
      client.startQueue(0);
      client.write(0, new byte[512]);
    }
    return file;
  }

  /** What is there comes and goes as it should, though it is copied. */
  @Test
  void buffersThatCouldVanish() throws Exception {
    long at = 1L << 32;
    byte[] data = new byte[1024];
    Arrays.fill(data, (byte) 7);
    try (TestFrontEnd client = new TestFrontEnd()) {
      client.connect(serveLeniently());
      Path page = startWithUnsealedPage(client, at);
      client.write(2, data);
      assertEquals(BlkDriver.OK, client.runAt(BlkDriver.IN, 1, at + 512, 2048));
      byte[] expected = new byte[4096];
      Arrays.fill(expected, 1024, 2048, (byte) 7);
      assertArrayEquals(expected, Files.readAllBytes(page));
      assertEquals(BlkDriver.OK, client.runAt(BlkDriver.OUT, 10, at + 1024, 512));
      assertArrayEquals(Arrays.copyOf(data, 512), client.read(10, 512));
      // Several at a time.
      for (int slot = 0; slot < 64 / 3; slot++) {
        client.submit(slot, BlkDriver.IN, 0, TestFrontEnd.BUFFER_BYTES);
      }
      client.kick();
      for (int slot = 0; slot < 64 / 3; slot++) {
        assertEquals(BlkDriver.OK, client.status(client.await()));
      }
    }
    world.exports.close("lenient");
  }

  /** The queue itself looks at a header, again and again until it notices. */
  @Test
  void headersThatVanish() throws Exception {
    long at = 1L << 32;
    Path lenient = serveLeniently();
    for (int i = 0; i < 10; i++) {
      try (TestFrontEnd client = new TestFrontEnd()) {
        client.connect(lenient);
        startWithVanishingPage(client, at);
        client.queue.readable(at, 16);
        client.queue.writable(client.buffer(1), 513);
        client.queue.submit(1);
        client.submit(2, BlkDriver.IN, 0, 512);
        client.kick();
        client.awaitHangUp();
      }
    }
    world.exports.close("lenient");
  }

  @Test
  void buffersThatVanish() throws Exception {
    long at = 1L << 32;
    try (TestFrontEnd client = new TestFrontEnd()) {
      client.connect(serveLeniently());
      startWithVanishingPage(client, at);
      // The kernel finds the data gone: an I/O error, and no more.
      assertEquals(BlkDriver.IOERR, client.runAt(BlkDriver.IN, 0, at, 512));
      assertEquals(BlkDriver.IOERR, client.runAt(BlkDriver.OUT, 0, at, 512));
    }
    world.exports.close("lenient");
  }

  /** Nor may the connection's thread wait for ever, so that the next client is never served. */
  @Test
  void aRequestThatCannotBeGivenBackToAQueueThatStops() throws Exception {
    long at = 1L << 32;
    try (TestFrontEnd client = new TestFrontEnd()) {
      client.connect(serveLeniently());
      startWithVanishingPage(client, at);
      // The message has come by the time that the queue fails, but is not handled before.
      world.control(
          () -> {
            client.send(VhostUserRequest.GET_VRING_BASE, new VringState(0, 0));
            client.readWithStatusAt(at);
            client.awaitHangUp();
          });
    }
    world.exports.close("lenient");
  }
}
