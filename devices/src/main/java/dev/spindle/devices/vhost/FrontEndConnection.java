// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.vhost.VhostUserPayload.Config;
import dev.spindle.devices.vhost.VhostUserPayload.Empty;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryRegion;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.Region;
import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.vhost.VhostUserPayload.VringFile;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.devices.virtio.DeviceStatus;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.VirtqueueConfig;
import dev.spindle.devices.virtio.blk.VirtioBlkFeatures;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Poll;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * A connection to a back end, as a conversation: what is agreed on, then where the queues are
 * (vhost-user specification, section "Communication"). One thread at a time, which waits; but any
 * may {@link #shutdown}.
 */
final class FrontEndConnection implements AutoCloseable {
  private static final long DEVICE_FEATURES =
      VirtioBlkFeatures.SIZE_MAX
          | VirtioBlkFeatures.SEG_MAX
          | VirtioBlkFeatures.RO
          | VirtioBlkFeatures.BLK_SIZE
          | VirtioBlkFeatures.FLUSH
          | VirtioBlkFeatures.TOPOLOGY
          | VirtioBlkFeatures.MQ
          | VirtioBlkFeatures.DISCARD
          | VirtioBlkFeatures.WRITE_ZEROES;

  private static final long FEATURES =
      VirtioFeatures.VERSION_1
          | VirtioFeatures.INDIRECT_DESC
          | VirtioFeatures.EVENT_IDX
          | VhostUserFeatures.PROTOCOL_FEATURES
          | DEVICE_FEATURES;

  private static final long PROTOCOL_FEATURES =
      VhostUserFeatures.MQ
          | VhostUserFeatures.REPLY_ACK
          | VhostUserFeatures.BACKEND_REQ
          | VhostUserFeatures.CONFIG
          | VhostUserFeatures.CONFIGURE_MEM_SLOTS
          | VhostUserFeatures.STATUS;

  private final UnixSocket stream;
  private final VhostUserSocket socket;

  /** How long to wait for something, by what to say if it does not come. */
  private final Function<String, Patience> patience;

  /** Null if the back end has nothing to say there. */
  private volatile FrontEndChannel channel;

  private long protocol;
  private long features;
  private FrontEndDisk disk;

  private FrontEndConnection(UnixSocket stream, Function<String, Patience> patience) {
    this.stream = stream;
    this.socket = new VhostUserSocket(stream);
    this.patience = patience;
  }

  /**
   * Connects. Does not wait.
   *
   * @param patience for each answer of the back end
   * @throws LinuxException if nobody listens there; EAGAIN if too many wait there already
   */
  static FrontEndConnection connect(Path path, Function<String, Patience> patience)
      throws LinuxException {
    return new FrontEndConnection(UnixSocket.connect(path, UnixSocket.Type.STREAM), patience);
  }

  /**
   * Agrees on features.
   *
   * @param queues how many are wanted
   * @throws VhostUserException if the back end does not keep to the protocol, or cannot do what is
   *     needed
   */
  void negotiate(int queues) throws IOException {
    long offered = askWord(VhostUserRequest.GET_FEATURES);
    if ((offered & VirtioFeatures.VERSION_1) == 0) {
      throw new VhostUserException("it knows only virtio before 1.0");
    }
    features = offered & FEATURES;
    if ((offered & VhostUserFeatures.PROTOCOL_FEATURES) != 0) {
      protocol = askWord(VhostUserRequest.GET_PROTOCOL_FEATURES) & PROTOCOL_FEATURES;
      send(VhostUserRequest.SET_PROTOCOL_FEATURES, new Word(protocol), false);
    }
    if (!has(VhostUserFeatures.CONFIG)) {
      throw new VhostUserException("it does not tell its configuration");
    }
    send(VhostUserRequest.SET_OWNER, new Empty(), false);
    long most = has(VhostUserFeatures.MQ) ? askWord(VhostUserRequest.GET_QUEUE_NUM) : 1;
    if (Long.compareUnsigned(queues, most) > 0) {
      throw new VhostUserException(
          "'num-queues' is " + queues + ", but it has " + Long.toUnsignedString(most));
    }
    if (has(VhostUserFeatures.BACKEND_REQ)) {
      channel = new FrontEndChannel();
      tell(VhostUserRequest.SET_BACKEND_REQ_FD, new Empty(), channel.theirEnd());
      channel.handedOver();
    }
    disk = readDisk();
    setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    tell(VhostUserRequest.SET_FEATURES, new Word(features));
    setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK);
    if (has(VhostUserFeatures.STATUS)
        && (askWord(VhostUserRequest.GET_STATUS) & DeviceStatus.FEATURES_OK) == 0) {
      throw new VhostUserException(
          "it refuses the features 0x" + Long.toHexString(features) + ", which it has offered");
    }
  }

  /** The disk as the configuration space says now. */
  FrontEndDisk readDisk() throws IOException {
    return FrontEndDisk.of(features, config());
  }

  private byte[] config() throws IOException {
    Config wanted = new Config(0, 0, new byte[FrontEndDisk.CONFIG_BYTES]);
    Config answer = ask(VhostUserRequest.GET_CONFIG, wanted, Config.class);
    if (answer.offset() != 0 || answer.bytes().length != FrontEndDisk.CONFIG_BYTES) {
      throw new VhostUserException(
          "its configuration has %d bytes at %d, not %d at 0"
              .formatted(answer.bytes().length, answer.offset(), FrontEndDisk.CONFIG_BYTES));
    }
    return answer.bytes();
  }

  private void setStatus(int status) throws IOException {
    if (has(VhostUserFeatures.STATUS)) {
      tell(VhostUserRequest.SET_STATUS, new Word(status));
    }
  }

  /** The disk as it was when the connection began. */
  FrontEndDisk disk() {
    return disk;
  }

  /** Says where memory and queues are, and has the back end begin. */
  void start(FrontEndMemory memory, SharedRegions shared, List<FrontEndQueue> queues)
      throws IOException {
    setMemory(memory, shared);
    for (int i = 0; i < queues.size(); i++) {
      startQueue(i, memory.ring(i).queue().config(), queues.get(i), 0);
    }
    setStatus(
        DeviceStatus.ACKNOWLEDGE
            | DeviceStatus.DRIVER
            | DeviceStatus.FEATURES_OK
            | DeviceStatus.DRIVER_OK);
  }

  /**
   * Says where memory is now, to a back end that takes none while queues work.
   *
   * @param queues with nothing on its way
   */
  void replaceMemory(FrontEndMemory memory, SharedRegions shared, List<FrontEndQueue> queues)
      throws IOException {
    int[] stopped = new int[queues.size()];
    for (int i = 0; i < stopped.length; i++) {
      VringState asked = new VringState(i, 0);
      stopped[i] = ask(VhostUserRequest.GET_VRING_BASE, asked, VringState.class).number();
    }
    setMemory(memory, shared);
    for (int i = 0; i < stopped.length; i++) {
      startQueue(i, memory.ring(i).queue().config(), queues.get(i), stopped[i]);
    }
  }

  private void setMemory(FrontEndMemory memory, SharedRegions shared) throws IOException {
    List<Region> regions = new ArrayList<>();
    List<Fd> files = new ArrayList<>();
    for (GuestMemory.Region own : memory.memory().regions()) {
      regions.add(region(own.address(), own.size(), own.offset()));
      files.add(memory.memory().file());
    }
    for (SharedRegions.Region other : shared.list()) {
      regions.add(describe(other));
      files.add(other.memory().file());
    }
    if (has(VhostUserFeatures.CONFIGURE_MEM_SLOTS)) {
      for (int i = 0; i < regions.size(); i++) {
        tell(VhostUserRequest.ADD_MEM_REG, new MemoryRegion(regions.get(i)), files.get(i));
      }
    } else {
      tell(VhostUserRequest.SET_MEM_TABLE, new MemoryTable(regions), files.toArray(Fd[]::new));
    }
  }

  /** Whether memory may come and go while the queues work. */
  boolean takesMoreMemory() {
    return has(VhostUserFeatures.CONFIGURE_MEM_SLOTS);
  }

  /** Adds a region to those that the back end can reach. */
  void addMemory(SharedRegions.Region shared) throws IOException {
    tell(VhostUserRequest.ADD_MEM_REG, new MemoryRegion(describe(shared)), shared.memory().file());
  }

  /** Takes a region from those that the back end can reach. */
  void removeMemory(SharedRegions.Region shared) throws IOException {
    // Some insist on a descriptor, which others close unseen.
    tell(VhostUserRequest.REM_MEM_REG, new MemoryRegion(describe(shared)), shared.memory().file());
  }

  private static Region describe(SharedRegions.Region shared) {
    return region(
        shared.address(), shared.memory().segment().byteSize(), shared.memory().fileOffset());
  }

  private static Region region(long address, long bytes, long fileOffset) {
    return new Region(address, bytes, FrontEndMemory.USER_ADDRESSES + address, fileOffset);
  }

  private void startQueue(int index, VirtqueueConfig config, FrontEndQueue queue, int base)
      throws IOException {
    long user = FrontEndMemory.USER_ADDRESSES;
    tell(VhostUserRequest.SET_VRING_NUM, new VringState(index, config.size()));
    tell(VhostUserRequest.SET_VRING_BASE, new VringState(index, base));
    tell(
        VhostUserRequest.SET_VRING_ADDR,
        new VringAddress(
            index,
            0,
            user + config.descriptorArea(),
            user + config.deviceArea(),
            user + config.driverArea(),
            0));
    tell(VhostUserRequest.SET_VRING_CALL, new VringFile(index, true), queue.callFd());
    tell(VhostUserRequest.SET_VRING_KICK, new VringFile(index, true), queue.kickFd());
    if ((features & VhostUserFeatures.PROTOCOL_FEATURES) != 0) {
      tell(VhostUserRequest.SET_VRING_ENABLE, new VringState(index, 1));
    }
  }

  private boolean has(long protocolFeature) {
    return (protocol & protocolFeature) != 0;
  }

  private long askWord(VhostUserRequest request) throws IOException {
    return ask(request, new Empty(), Word.class).value();
  }

  private <T extends VhostUserPayload> T ask(
      VhostUserRequest request, VhostUserPayload payload, Class<T> kind) throws IOException {
    send(request, payload, false);
    VhostUserMessage reply = reply(request);
    reply.descriptors().forEach(Fd::close);
    if (!kind.isInstance(reply.payload())) {
      throw new VhostUserException("a strange answer to " + request);
    }
    return kind.cast(reply.payload());
  }

  /** Sends what has no answer, but waits until it is done where that can be asked for. */
  private void tell(VhostUserRequest request, VhostUserPayload payload, Fd... descriptors)
      throws IOException {
    boolean acknowledged = has(VhostUserFeatures.REPLY_ACK);
    send(request, payload, acknowledged, descriptors);
    if (acknowledged) {
      VhostUserMessage reply = reply(request);
      reply.descriptors().forEach(Fd::close);
      if (!(reply.payload() instanceof Word(long refusal)) || refusal != 0) {
        throw new VhostUserException("it refuses " + request);
      }
    }
  }

  private void send(
      VhostUserRequest request, VhostUserPayload payload, boolean needReply, Fd... descriptors)
      throws IOException {
    socket.send(
        new VhostUserMessage(request, false, needReply, payload, List.of(descriptors)),
        patience.apply("it does not take " + request));
  }

  private VhostUserMessage reply(VhostUserRequest request) throws IOException {
    return socket.receiveReply(request, 0, patience.apply("it does not answer " + request));
  }

  /** What becomes readable when the back end hangs up, or says something unasked. */
  Fd fd() {
    return stream.fd();
  }

  /** What is to be watched: the connection, {@code wake}, and the channel if there is one. */
  Fd[] fds(Fd wake) {
    FrontEndChannel open = channel;
    return open == null ? new Fd[] {fd(), wake} : new Fd[] {fd(), wake, open.fd()};
  }

  /** Takes the message that is there on the back end's channel; whether the disk has changed. */
  boolean hear() throws IOException {
    FrontEndChannel.Received received =
        channel.receive(patience.apply("it begins a message on its channel and does not end it"));
    if (received == FrontEndChannel.Received.END) {
      channel.close();
      channel = null;
    }
    return received == FrontEndChannel.Received.CONFIG_CHANGE;
  }

  /** Whether the back end has hung up. */
  boolean isHungUp() throws LinuxException {
    return Poll.isHungUp(stream.fd());
  }

  /** Ends it both ways: who waits for an answer gets none. Any thread. */
  void shutdown() {
    try {
      socket.shutdown();
      FrontEndChannel open = channel;
      if (open != null) {
        open.shutdown();
      }
    } catch (LinuxException e) {
      // It has ended by itself.
    }
  }

  @Override
  public void close() {
    if (channel != null) {
      channel.close();
    }
    socket.close();
  }
}
