// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;

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
import dev.spindle.linux.Poll;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Clients that break the rules: each loses its connection, and nobody else notices. */
class VhostUserHostileTest extends AttackedExport {
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
