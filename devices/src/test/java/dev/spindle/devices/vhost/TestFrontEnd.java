// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.vhost.VhostUserPayload.Config;
import dev.spindle.devices.vhost.VhostUserPayload.Empty;
import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.Region;
import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.vhost.VhostUserPayload.VringFile;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.VirtqueueConfig;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestArea;
import dev.spindle.linux.Errno;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Poll;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A front end with a driver of one queue and no guest: what a virtual machine monitor would do. */
final class TestFrontEnd implements AutoCloseable {
  static final int QUEUE_SIZE = 64;
  static final int BUFFER_BYTES = 64 << 10;
  static final long MEMORY_BYTES = 8 << 20;

  /** Where it claims to have the memory. */
  static final long USER_BASE = 0x7f00_0000_0000L;

  static final long FEATURES =
      VirtioFeatures.VERSION_1
          | VirtioFeatures.EVENT_IDX
          | VirtioFeatures.INDIRECT_DESC
          | VhostUserFeatures.PROTOCOL_FEATURES
          // Flush, discard, write zeroes.
          | 1 << 9
          | 1 << 13
          | 1 << 14;

  final GuestMemory memory;
  final DriverQueue queue;
  final EventFd kick = EventFd.create();
  final EventFd call = EventFd.create();
  private final long[] headers = new long[QUEUE_SIZE];
  private final long[] statuses = new long[QUEUE_SIZE];
  private final long[] buffers = new long[QUEUE_SIZE];
  private final List<AutoCloseable> owned = new ArrayList<>();
  VhostUserSocket socket;
  final long features;

  TestFrontEnd() throws IOException {
    this(FEATURES);
  }

  TestFrontEnd(long features) throws IOException {
    this.features = features;
    memory = GuestMemory.allocate(MEMORY_BYTES);
    GuestArea area = new GuestArea(memory, 0, MEMORY_BYTES);
    queue = DriverQueue.create(area, 0, QUEUE_SIZE, 128, features);
    for (int i = 0; i < QUEUE_SIZE; i++) {
      headers[i] = area.allocate(16, 16);
      statuses[i] = area.allocate(1, 1);
    }
    for (int i = 0; i < QUEUE_SIZE; i++) {
      buffers[i] = area.allocate(BUFFER_BYTES, 4096);
    }
  }

  static TestFrontEnd connected(Path path) throws IOException {
    TestFrontEnd frontEnd = new TestFrontEnd();
    frontEnd.connect(path);
    return frontEnd;
  }

  void connect(Path path) throws IOException {
    socket = new VhostUserSocket(UnixSocket.connect(path, UnixSocket.Type.STREAM));
  }

  void send(VhostUserRequest request, VhostUserPayload payload, Fd... files) throws IOException {
    socket.send(new VhostUserMessage(request, false, false, payload, List.of(files)));
  }

  VhostUserMessage ask(VhostUserRequest request, VhostUserPayload payload) throws IOException {
    socket.send(VhostUserMessage.of(request, payload));
    return socket.receiveReply(request);
  }

  long askWord(VhostUserRequest request) throws IOException {
    return ((Word) ask(request, new Empty()).payload()).value();
  }

  /** Waits until the back end has done all that it was told so far. */
  void settle() throws IOException {
    askWord(VhostUserRequest.GET_FEATURES);
  }

  void negotiate() throws IOException {
    send(VhostUserRequest.SET_OWNER, new Empty());
    long offered = askWord(VhostUserRequest.GET_FEATURES);
    assertEquals(features, offered & features);
    long protocol = askWord(VhostUserRequest.GET_PROTOCOL_FEATURES);
    send(VhostUserRequest.SET_PROTOCOL_FEATURES, new Word(protocol));
    send(VhostUserRequest.SET_FEATURES, new Word(features));
  }

  static Region region(long guestAddress, long bytes, long offset) {
    return new Region(guestAddress, bytes, USER_BASE + guestAddress, offset);
  }

  void sendMemory() throws IOException {
    send(
        VhostUserRequest.SET_MEM_TABLE,
        new MemoryTable(List.of(region(0, MEMORY_BYTES, 0))),
        memory.file());
  }

  VringAddress address(int flags) {
    VirtqueueConfig config = queue.config();
    return new VringAddress(
        0,
        flags,
        USER_BASE + config.descriptorArea(),
        USER_BASE + config.deviceArea(),
        USER_BASE + config.driverArea(),
        config.deviceArea());
  }

  void startQueue(int base) throws IOException {
    describeQueue(base);
    send(VhostUserRequest.SET_VRING_ENABLE, new VringState(0, 1));
  }

  /** Says all that there is to say of the queue, but that it is enabled. */
  void describeQueue(int base) throws IOException {
    send(VhostUserRequest.SET_VRING_NUM, new VringState(0, QUEUE_SIZE));
    send(VhostUserRequest.SET_VRING_BASE, new VringState(0, base));
    send(VhostUserRequest.SET_VRING_ADDR, address(0));
    send(VhostUserRequest.SET_VRING_CALL, new VringFile(0, true), call.fd());
    send(VhostUserRequest.SET_VRING_KICK, new VringFile(0, true), kick.fd());
  }

  /** All that it takes to do I/O. */
  TestFrontEnd start() throws IOException {
    negotiate();
    sendMemory();
    startQueue(0);
    return this;
  }

  int stopQueue() throws IOException {
    return ((VringState) ask(VhostUserRequest.GET_VRING_BASE, new VringState(0, 0)).payload())
        .number();
  }

  byte[] config(int offset, int bytes) throws IOException {
    return ((Config)
            ask(VhostUserRequest.GET_CONFIG, new Config(offset, 0, new byte[bytes])).payload())
        .bytes();
  }

  /** Asks for memory for the requests in flight and sends it back, as a front end does at first. */
  Fd inflight() throws IOException {
    VhostUserMessage reply =
        ask(VhostUserRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 1, QUEUE_SIZE));
    Fd file = reply.descriptors().getFirst();
    owned.add(file);
    sendInflight((Inflight) reply.payload(), file);
    return file;
  }

  void sendInflight(Inflight area, Fd file) throws IOException {
    send(VhostUserRequest.SET_INFLIGHT_FD, area, file);
  }

  byte[] data(int slot, int bytes) {
    byte[] data = new byte[bytes];
    memory.read(buffers[slot], data);
    return data;
  }

  long buffer(int slot) {
    return buffers[slot];
  }

  /** Makes a request available; the back end hears of it at the next {@link #kick}. */
  void submit(int slot, int type, long sector, int bytes) {
    memory.writeInt(headers[slot], type);
    memory.writeInt(headers[slot] + 4, 0);
    memory.writeLong(headers[slot] + 8, sector);
    memory.writeByte(statuses[slot], BlkDriver.UNANSWERED);
    queue.readable(headers[slot], 16);
    if (bytes > 0 && type == BlkDriver.OUT) {
      queue.readable(buffers[slot], bytes);
    } else if (bytes > 0) {
      queue.writable(buffers[slot], bytes);
    }
    queue.writable(statuses[slot], 1);
    if (!queue.submit(slot)) {
      throw new IllegalStateException("the ring is full");
    }
  }

  void submitWrite(int slot, long sector, byte[] data) {
    memory.write(buffers[slot], data);
    submit(slot, BlkDriver.OUT, sector, data.length);
  }

  void kick() {
    if (queue.publish()) {
      kick.signal();
    }
  }

  /** Waits for the next finished request; its slot. */
  int await() throws IOException {
    while (!queue.reap()) {
      if (!queue.enableInterrupts()) {
        Poll.await(Poll.FOREVER, call.fd());
        call.read();
      }
    }
    return queue.token();
  }

  int status(int slot) {
    return memory.readByte(statuses[slot]);
  }

  /** One request alone. */
  int run(int type, long sector, int bytes) throws IOException {
    submit(0, type, sector, bytes);
    kick();
    assertEquals(0, await());
    return status(0);
  }

  /** One request alone, with its data at a guest-physical address. */
  int runAt(int type, long sector, long address, int bytes) throws IOException {
    memory.writeInt(headers[0], type);
    memory.writeLong(headers[0] + 8, sector);
    memory.writeByte(statuses[0], BlkDriver.UNANSWERED);
    queue.readable(headers[0], 16);
    if (type == BlkDriver.OUT) {
      queue.readable(address, bytes);
    } else {
      queue.writable(address, bytes);
    }
    queue.writable(statuses[0], 1);
    queue.submit(0);
    kick();
    assertEquals(0, await());
    return status(0);
  }

  /** A read with its status byte at a guest-physical address; nobody waits for it. */
  void readWithStatusAt(long address) {
    memory.writeInt(headers[0], BlkDriver.IN);
    memory.writeLong(headers[0] + 8, 0);
    queue.readable(headers[0], 16);
    queue.writable(buffers[0], 512);
    queue.writable(address, 1);
    queue.submit(0);
    kick();
  }

  void write(long sector, byte[] data) throws IOException {
    memory.write(buffers[0], data);
    assertEquals(BlkDriver.OK, run(BlkDriver.OUT, sector, data.length));
  }

  byte[] read(long sector, int bytes) throws IOException {
    assertEquals(BlkDriver.OK, run(BlkDriver.IN, sector, bytes));
    return data(0, bytes);
  }

  /** Whether the back end has hung up; waits until it does or answers. */
  boolean isHungUp() {
    try {
      settle();
      return false;
    } catch (IOException e) {
      return true;
    }
  }

  /** Waits until the back end hangs up; it has nothing to say before. */
  void awaitHangUp() throws IOException {
    try {
      assertEquals(Optional.empty(), socket.receiveRequest());
    } catch (LinuxException e) {
      // So a hang-up looks where there was more to read.
      assertEquals(Errno.ECONNRESET, e.errno());
    }
  }

  void disconnect() {
    socket.close();
  }

  @Override
  public void close() {
    socket.close();
    for (AutoCloseable resource : owned) {
      try {
        resource.close();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
    kick.close();
    call.close();
    memory.close();
  }
}
