// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.spindle.devices.vhost.VhostUserPayload.Empty;
import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.vhost.VhostUserPayload.LogArea;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryRegion;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.Region;
import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.vhost.VhostUserPayload.VringFile;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.MemFd;
import dev.spindle.linux.OpenFlag;
import dev.spindle.linux.Poll;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients that break the rules: each loses its connection, and nobody else notices. After each, an
 * honest client of the same export and one of another export on the same iothread do their I/O.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class VhostUserHostileTest {
  @TempDir Path folder;
  private ExportWorld world;
  private Path socket;
  private TestFrontEnd neighbour;
  private long filesBefore;
  private final List<Path> pages = new ArrayList<>();

  @BeforeEach
  void serve() throws Exception {
    world = new ExportWorld();
    socket = folder.resolve("attacked.sock");
    Path other = folder.resolve("neighbour.sock");
    for (String name : List.of("attacked", "neighbour")) {
      Path image = Files.write(folder.resolve(name + ".img"), new byte[1 << 20]);
      world.open("driver=file,node-name=" + name + ",filename=" + image);
      world.export(
          "vhost-user-blk,id=%s,node-name=%s,writable=on,iothread=io0,addr.type=unix,addr.path=%s"
              .formatted(name, name, folder.resolve(name + ".sock")));
    }
    neighbour = TestFrontEnd.connected(other).start();
    neighbour.write(1, new byte[512]);
    filesBefore = openFiles();
  }

  private static long openFiles() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.count();
    }
  }

  @AfterEach
  @Timeout(60)
  void end() throws Exception {
    try {
      byte[] data = new byte[4096];
      data[0] = 1;
      try (TestFrontEnd honest = TestFrontEnd.connected(socket).start()) {
        honest.write(8, data);
        assertArrayEquals(data, honest.read(8, data.length));
      }
      neighbour.write(16, data);
      assertArrayEquals(data, neighbour.read(16, data.length));
      world.exports.close("attacked");
      // The listening socket and what came with clients; the last of them goes with its thread.
      while (openFiles() >= filesBefore) {
        Thread.onSpinWait();
      }
    } finally {
      neighbour.close();
      world.close();
      for (Path page : pages) {
        Files.delete(page);
      }
    }
  }

  /** Something a client does. */
  private interface Attack {
    void run(TestFrontEnd client) throws Exception;
  }

  private void hangsUpOn(Attack attack) throws Exception {
    try (TestFrontEnd client = new TestFrontEnd()) {
      client.connect(socket);
      client.negotiate();
      attack.run(client);
      client.awaitHangUp();
    }
  }

  private static void table(TestFrontEnd client, Region... regions) throws IOException {
    Fd[] files = new Fd[regions.length];
    Arrays.fill(files, client.memory.file());
    client.send(VhostUserRequest.SET_MEM_TABLE, new MemoryTable(List.of(regions)), files);
  }

  @Test
  void memoryThatCannotBe() throws Exception {
    long all = TestFrontEnd.MEMORY_BYTES;
    hangsUpOn(
        client -> table(client, new Region(0, all, 1 << 30, 0), new Region(4096, 8192, 1, 0)));
    hangsUpOn(
        client -> table(client, new Region(0, 4096, 0, 0), new Region(4096, 4096, 4095, 4096)));
    hangsUpOn(client -> table(client, new Region(0, all + 1, 0, 0)));
    hangsUpOn(client -> table(client, new Region(0, all, 0, 1)));
    hangsUpOn(client -> table(client, new Region(0, 4096, 0, Long.MAX_VALUE - 4095)));
    hangsUpOn(client -> table(client, new Region(0, 0, 0, 0)));
    hangsUpOn(client -> table(client, new Region(0, -4096, 0, 0)));
    hangsUpOn(client -> table(client, new Region(-4096, 8192, 0, 0)));
    hangsUpOn(client -> table(client, new Region(Long.MAX_VALUE - 4095, 4096, 0, 0)));
    hangsUpOn(client -> table(client, new Region(0, 4096, -1, 0)));
    hangsUpOn(client -> table(client, new Region(0, 4096, Long.MAX_VALUE - 10, 0)));
    hangsUpOn(
        client ->
            client.send(
                VhostUserRequest.ADD_MEM_REG,
                new MemoryRegion(new Region(0, 4096, 0, 0)),
                client.kick.fd()));
    hangsUpOn(
        client -> {
          try (LinuxFile directory = LinuxFile.open(folder)) {
            client.send(
                VhostUserRequest.ADD_MEM_REG,
                new MemoryRegion(new Region(0, 4096, 0, 0)),
                directory.fd());
          }
        });
    hangsUpOn(
        client -> {
          Path file = Files.write(folder.resolve("read-only"), new byte[8192]);
          try (LinuxFile readOnly = LinuxFile.open(file)) {
            client.send(
                VhostUserRequest.ADD_MEM_REG,
                new MemoryRegion(new Region(0, 4096, 0, 0)),
                readOnly.fd());
          }
        });
    hangsUpOn(
        client ->
            client.send(VhostUserRequest.REM_MEM_REG, new MemoryRegion(new Region(0, 4096, 0, 0))));
  }

  @Test
  void ringsOutsideMemory() throws Exception {
    for (int which = 0; which < 3; which++) {
      int moved = which;
      for (long place :
          new long[] {
            0, -1, Long.MIN_VALUE, TestFrontEnd.USER_BASE + TestFrontEnd.MEMORY_BYTES - 16
          }) {
        hangsUpOn(
            client -> {
              client.sendMemory();
              VringAddress at = client.address(0);
              client.send(VhostUserRequest.SET_VRING_NUM, new VringState(0, 64));
              client.send(
                  VhostUserRequest.SET_VRING_ADDR,
                  new VringAddress(
                      0,
                      0,
                      moved == 0 ? place : at.descriptors(),
                      moved == 1 ? place : at.used(),
                      moved == 2 ? place : at.available(),
                      0));
              client.send(
                  VhostUserRequest.SET_VRING_KICK, new VringFile(0, true), client.kick.fd());
              client.send(VhostUserRequest.SET_VRING_ENABLE, new VringState(0, 1));
            });
      }
    }
    // Misaligned.
    hangsUpOn(
        client -> {
          client.sendMemory();
          VringAddress at = client.address(0);
          client.send(VhostUserRequest.SET_VRING_NUM, new VringState(0, 64));
          client.send(
              VhostUserRequest.SET_VRING_ADDR,
              new VringAddress(0, 0, at.descriptors() + 1, at.used(), at.available(), 0));
          client.send(VhostUserRequest.SET_VRING_KICK, new VringFile(0, true), client.kick.fd());
          client.send(VhostUserRequest.SET_VRING_ENABLE, new VringState(0, 1));
        });
  }

  @Test
  void numbersOutOfRange() throws Exception {
    for (int size : new int[] {0, 3, 2048, -1, Integer.MIN_VALUE}) {
      hangsUpOn(client -> client.send(VhostUserRequest.SET_VRING_NUM, new VringState(0, size)));
    }
    for (int index : new int[] {1, -1, Integer.MIN_VALUE}) {
      hangsUpOn(client -> client.send(VhostUserRequest.SET_VRING_BASE, new VringState(index, 0)));
      hangsUpOn(client -> client.send(VhostUserRequest.GET_VRING_BASE, new VringState(index, 0)));
    }
    hangsUpOn(
        client ->
            client.send(
                VhostUserRequest.SET_VRING_KICK, new VringFile(255, true), client.kick.fd()));
    hangsUpOn(client -> client.send(VhostUserRequest.SET_FEATURES, new Word(-1)));
    hangsUpOn(client -> client.send(VhostUserRequest.SET_PROTOCOL_FEATURES, new Word(-1)));
    hangsUpOn(
        client ->
            client.send(
                VhostUserRequest.GET_CONFIG, new VhostUserPayload.Config(200, 0, new byte[100])));
    hangsUpOn(
        client ->
            client.send(
                VhostUserRequest.GET_CONFIG, new VhostUserPayload.Config(-8, 0, new byte[8])));
    hangsUpOn(client -> client.send(VhostUserRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 64)));
    hangsUpOn(
        client -> client.send(VhostUserRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 1, 65535)));
    hangsUpOn(
        client ->
            client.send(
                VhostUserRequest.SET_INFLIGHT_FD,
                new Inflight(16, 0, 1, 64),
                client.memory.file()));
    hangsUpOn(
        client ->
            client.send(
                VhostUserRequest.SET_INFLIGHT_FD,
                new Inflight(TestFrontEnd.MEMORY_BYTES + 4096, 0, 1, 64),
                client.memory.file()));
    hangsUpOn(
        client ->
            client.send(
                VhostUserRequest.SET_LOG_BASE,
                new LogArea(TestFrontEnd.MEMORY_BYTES, 4096),
                client.memory.file()));
    hangsUpOn(
        client ->
            client.send(VhostUserRequest.SET_LOG_BASE, new LogArea(-1, 0), client.memory.file()));
  }

  @Test
  void filesThatAreNoEventfds() throws Exception {
    for (VhostUserRequest request :
        List.of(
            VhostUserRequest.SET_VRING_KICK,
            VhostUserRequest.SET_VRING_CALL,
            VhostUserRequest.SET_VRING_ERR)) {
      hangsUpOn(client -> client.send(request, new VringFile(0, true), client.memory.file()));
    }
    hangsUpOn(client -> client.send(VhostUserRequest.SET_VRING_KICK, new VringFile(0, false)));
  }

  /** As full as a counter gets, and a write to it would wait. */
  private static void fill(EventFd event) throws IOException {
    event.read();
    event.add(-2);
    event.fd().setNonBlocking(false);
  }

  @Test
  void aCallThatWouldBlock() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      client.settle();
      fill(client.call);
      for (int i = 0; i < 3; i++) {
        client.submit(i, BlkDriver.IN, 0, 512);
        client.kick();
        client.queue.enableInterrupts();
        while (!client.queue.reap()) {
          Thread.onSpinWait();
        }
        // On the same iothread, after the interrupt.
        neighbour.write(1, new byte[512]);
      }
    }
  }

  @Test
  void anErrorThatWouldBlock() throws Exception {
    try (EventFd error = EventFd.create()) {
      hangsUpOn(
          client -> {
            client.sendMemory();
            client.startQueue(0);
            client.send(VhostUserRequest.SET_VRING_ERR, new VringFile(0, true), error.fd());
            client.settle();
            fill(error);
            client.memory.writeShort(client.queue.config().driverArea() + 2, 30000);
            client.kick.signal();
          });
    }
  }

  @Test
  void messagesOutOfOrder() throws Exception {
    try (TestFrontEnd client = new TestFrontEnd()) {
      client.connect(socket);
      client.kick.signal();
      client.send(VhostUserRequest.SET_VRING_KICK, new VringFile(0, true), client.kick.fd());
      client.send(VhostUserRequest.SET_VRING_ENABLE, new VringState(0, 1));
      client.send(VhostUserRequest.SET_VRING_NUM, new VringState(0, 64));
      client.send(VhostUserRequest.RESET_OWNER, new Empty());
      assertEquals(0, client.stopQueue());
      client.settle();
    }
    hangsUpOn(client -> client.startQueue(0));
    hangsUpOn(
        client -> {
          client.sendMemory();
          client.startQueue(0);
          client.write(0, new byte[512]);
          client.send(VhostUserRequest.SET_VRING_NUM, new VringState(0, 32));
        });
    hangsUpOn(
        client -> {
          client.sendMemory();
          client.startQueue(0);
          client.send(VhostUserRequest.SET_VRING_BASE, new VringState(0, 32));
        });
    hangsUpOn(
        client -> {
          client.sendMemory();
          client.startQueue(0);
          client.send(VhostUserRequest.SET_FEATURES, new Word(0));
        });
    hangsUpOn(
        client -> {
          client.sendMemory();
          client.startQueue(0);
          VringAddress at = client.address(0);
          client.send(
              VhostUserRequest.SET_VRING_ADDR,
              new VringAddress(0, 0, at.descriptors() + 16, at.used(), at.available(), 0));
        });
  }

  @Test
  void aRingThatIsBroken() throws Exception {
    hangsUpOn(
        client -> {
          client.sendMemory();
          client.startQueue(0);
          client.write(0, new byte[512]);
          try (EventFd error = EventFd.create()) {
            client.send(VhostUserRequest.SET_VRING_ERR, new VringFile(0, true), error.fd());
            client.settle();
            client.memory.writeShort(client.queue.config().driverArea() + 2, 30000);
            client.kick.signal();
            client.awaitHangUp();
            Poll.await(Poll.FOREVER, error.fd());
            assertEquals(1, error.read());
          }
        });
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

  /** A device status has eight bits: without any of them it is a reset, whatever is above. */
  @Test
  void aResetWithMoreThanAStatusStopsTheQueuesAsWell() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      client.write(8, new byte[512]);
      client.send(VhostUserRequest.SET_STATUS, new Word(0xf00));
      client.send(VhostUserRequest.SET_FEATURES, new Word(client.features));
      client.startQueue(1);
      client.write(8, new byte[512]);
    }
  }
}
