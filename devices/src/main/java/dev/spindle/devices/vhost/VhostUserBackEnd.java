// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.Config;
import dev.spindle.devices.vhost.VhostUserPayload.Empty;
import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.vhost.VhostUserPayload.LogArea;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryRegion;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.vhost.VhostUserPayload.VringFile;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.devices.virtio.DeviceQueue;
import dev.spindle.devices.virtio.VirtioConfigSpace;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.uring.PeerEvent;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The protocol's back end: what one front end has said so far, and the queues that work because of
 * it (vhost-user specification, sections "Ring states" and "Front-end message types"). Control
 * side.
 */
final class VhostUserBackEnd implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(VhostUserBackEnd.class);

  private static final long PROTOCOL_FEATURES =
      VhostUserFeatures.MQ
          | VhostUserFeatures.LOG_SHMFD
          | VhostUserFeatures.REPLY_ACK
          | VhostUserFeatures.BACKEND_REQ
          | VhostUserFeatures.CONFIG
          | VhostUserFeatures.INFLIGHT_SHMFD
          | VhostUserFeatures.RESET_DEVICE
          | VhostUserFeatures.CONFIGURE_MEM_SLOTS
          | VhostUserFeatures.STATUS;

  /** As with the largest virtqueues of QEMU. */
  private static final int MOST_DESCRIPTORS = 1024;

  private final VhostUserBlkExport export;
  private final ClientMemory memory;
  private final SharedLogs logs = new SharedLogs();
  private final Vring[] vrings;

  /** Null if the front end does not want to be told anything. */
  private BackEndChannel channel;

  private long features;
  private boolean featuresSet;
  private long protocolFeatures;
  private long status;

  VhostUserBackEnd(VhostUserBlkExport export) throws LinuxException {
    this.export = export;
    this.memory = ClientMemory.empty(export.takesUnsealedMemory());
    this.vrings =
        IntStream.range(0, export.queueCount()).mapToObj(Vring::new).toArray(Vring[]::new);
  }

  private long offered() {
    return export.model().features()
        | VirtioFeatures.VERSION_1
        | VirtioFeatures.INDIRECT_DESC
        | VirtioFeatures.EVENT_IDX
        | VirtioFeatures.RING_PACKED
        | VhostUserFeatures.LOG_ALL
        | VhostUserFeatures.PROTOCOL_FEATURES;
  }

  /**
   * The queues that have to stand, with nothing under way, before a message is handled.
   *
   * @throws VhostUserException if the message names a queue that does not exist
   */
  List<Integer> toStop(VhostUserMessage message) throws VhostUserException {
    return switch (message.request()) {
      case SET_MEM_TABLE, REM_MEM_REG, RESET_OWNER, RESET_DEVICE, SET_LOG_BASE, SET_INFLIGHT_FD ->
          working();
      case SET_STATUS -> status((Word) message.payload()) == 0 ? working() : List.of();
      case GET_VRING_BASE -> ifWorking(vring((VringState) message.payload()));
      case SET_VRING_ENABLE -> {
        VringState state = (VringState) message.payload();
        yield state.number() == 0 ? ifWorking(vring(state)) : List.of();
      }
      case SET_VRING_KICK -> ifWorking(vring((VringFile) message.payload()));
      default -> List.of();
    };
  }

  /** The device status has eight bits, whatever the message has. */
  private static long status(Word word) {
    return word.value() & 0xff;
  }

  private List<Integer> working() {
    List<Integer> indices = new ArrayList<>();
    for (Vring vring : vrings) {
      indices.addAll(ifWorking(vring));
    }
    return indices;
  }

  private static List<Integer> ifWorking(Vring vring) {
    return vring.isWorking() ? List.of(vring.index) : List.of();
  }

  /** Ends the work of queues that stand and have nothing under way. */
  void close(List<Integer> standing) {
    for (int index : standing) {
      export.queues().close(index);
      vrings[index].stopped();
    }
  }

  /**
   * Does what a message says.
   *
   * @param unclaimed the message's descriptors; those that are left in it afterwards are to be
   *     closed, but not by control work: with some files that can take as long as their owner likes
   * @return the answer, if it gets one
   * @throws IOException if the client must go
   */
  Optional<VhostUserMessage> handle(VhostUserMessage message, List<Fd> unclaimed)
      throws IOException {
    Optional<VhostUserMessage> answer = apply(message, unclaimed);
    startReady();
    boolean acknowledge =
        message.needReply() && (protocolFeatures & VhostUserFeatures.REPLY_ACK) != 0;
    return answer.isEmpty() && acknowledge
        ? Optional.of(message.answer(new Word(0), List.of()))
        : answer;
  }

  private Optional<VhostUserMessage> apply(VhostUserMessage message, List<Fd> descriptors)
      throws IOException {
    VhostUserPayload reply = null;
    List<Fd> sent = List.of();
    switch (message.payload()) {
      case Empty _ when message.request() == VhostUserRequest.SET_BACKEND_REQ_FD -> {
        BackEndChannel next = BackEndChannel.of(descriptors.getFirst());
        descriptors.removeFirst();
        closeChannel();
        channel = next;
      }
      case Empty _ -> reply = simple(message.request());
      case Word(long value) -> setWord(message.request(), value);
      case VringState state -> reply = setState(message.request(), state);
      case VringAddress address -> setAddress(address);
      case VringFile file -> setFile(message.request(), file, descriptors);
      case MemoryTable(var regions) -> {
        memory.clear();
        for (VhostUserPayload.Region region : regions) {
          memory.add(region, descriptors.getFirst());
          descriptors.removeFirst();
        }
      }
      case MemoryRegion(var region) -> {
        if (message.request() == VhostUserRequest.ADD_MEM_REG) {
          memory.add(region, descriptors.getFirst());
          descriptors.removeFirst();
        } else {
          memory.remove(region).run();
        }
      }
      case Config config -> reply = config(message.request(), config);
      case LogArea area -> {
        logs.setDirtyLog(area, descriptors.getFirst());
        reply = new Word(0);
      }
      case Inflight area -> {
        if (message.request() == VhostUserRequest.SET_INFLIGHT_FD) {
          logs.setInflight(area, descriptors.getFirst(), vrings.length, MOST_DESCRIPTORS);
        } else {
          SharedLogs.Offer offer =
              logs.offerInflight(area, vrings.length, MOST_DESCRIPTORS, isPacked());
          reply = offer.area();
          sent = offer.file();
        }
      }
    }
    return reply == null ? Optional.empty() : Optional.of(message.answer(reply, sent));
  }

  /** An answer has gone out: what went with it is the client's alone. */
  void sent(VhostUserMessage answer) {
    answer.closeDescriptors();
  }

  private VhostUserPayload simple(VhostUserRequest request) {
    return switch (request) {
      case GET_FEATURES -> new Word(offered());
      case GET_PROTOCOL_FEATURES -> new Word(PROTOCOL_FEATURES);
      case GET_QUEUE_NUM -> new Word(vrings.length);
      case GET_MAX_MEM_SLOTS -> new Word(ClientMemory.MOST_REGIONS);
      case GET_STATUS -> new Word(status);
      case RESET_OWNER, RESET_DEVICE -> {
        reset();
        yield null;
      }
      // SET_OWNER says nothing.
      default -> null;
    };
  }

  private void setWord(VhostUserRequest request, long value) throws VhostUserException {
    switch (request) {
      case SET_FEATURES -> setFeatures(value);
      case SET_PROTOCOL_FEATURES -> {
        if ((value & ~PROTOCOL_FEATURES) != 0) {
          throw new VhostUserException(
              "protocol features 0x" + Long.toHexString(value) + " that were not offered");
        }
        protocolFeatures = value;
      }
      case SET_STATUS -> {
        status = status(new Word(value));
        if (status == 0) {
          reset();
        }
      }
      // SET_LOG_FD: whoever reads the log looks at it when he likes.
      default -> {}
    }
  }

  private void setFeatures(long value) throws VhostUserException {
    if ((value & ~offered()) != 0) {
      throw new VhostUserException(
          "features 0x" + Long.toHexString(value) + " that were not offered");
    }
    boolean working = !working().isEmpty();
    if (working && ((value ^ features) & ~VhostUserFeatures.LOG_ALL) != 0) {
      throw new VhostUserException("other features while a queue works");
    }
    features = value;
    featuresSet = true;
    LOG.debug("{}: its client has features 0x{}", export.describe(), Long.toHexString(value));
    if (!working) {
      export.model().agree(features);
      if ((value & VhostUserFeatures.PROTOCOL_FEATURES) == 0) {
        // Without those there is no message to enable a queue.
        for (Vring vring : vrings) {
          vring.enabled = true;
        }
      }
    }
    updateDirtyLogs();
  }

  /** Queues stand. */
  private void reset() {
    for (Vring vring : vrings) {
      vring.enabled = false;
      vring.base = 0;
      vring.address = null;
      vring.setKick(null);
    }
    features = 0;
    featuresSet = false;
    export.model().reset();
  }

  private Vring vring(VringState state) throws VhostUserException {
    return vring(state.index());
  }

  private Vring vring(VringFile file) throws VhostUserException {
    return vring(file.index());
  }

  private Vring vring(int index) throws VhostUserException {
    if (index < 0 || index >= vrings.length) {
      throw new VhostUserException(
          "queue " + Integer.toUnsignedString(index) + " of " + vrings.length);
    }
    return vrings[index];
  }

  private VhostUserPayload setState(VhostUserRequest request, VringState state)
      throws VhostUserException {
    Vring vring = vring(state);
    switch (request) {
      case SET_VRING_NUM -> {
        requireStanding(vring, request);
        if (state.number() < 1
            || state.number() > MOST_DESCRIPTORS
            || (!isPacked() && Integer.bitCount(state.number()) != 1)) {
          throw new VhostUserException(
              "queue "
                  + vring.index
                  + " of "
                  + Integer.toUnsignedString(state.number())
                  + " descriptors");
        }
        vring.size = state.number();
      }
      case SET_VRING_BASE -> {
        requireStanding(vring, request);
        vring.base = state.number();
      }
      case SET_VRING_ENABLE -> vring.enabled = state.number() != 0;
      // GET_VRING_BASE stops the queue.
      default -> {
        vring.closeFiles();
        return new VringState(vring.index, vring.base);
      }
    }
    return null;
  }

  private static void requireStanding(Vring vring, VhostUserRequest request)
      throws VhostUserException {
    if (vring.isWorking()) {
      throw new VhostUserException(request + " while queue " + vring.index + " works");
    }
  }

  private void setAddress(VringAddress address) throws VhostUserException {
    Vring vring = vring(address.index());
    VringAddress before = vring.address;
    if (vring.isWorking()
        && (address.descriptors() != before.descriptors()
            || address.available() != before.available()
            || address.used() != before.used())) {
      throw new VhostUserException("queue " + vring.index + " goes elsewhere while it works");
    }
    vring.address = address;
    updateDirtyLogs();
  }

  private void setFile(VhostUserRequest request, VringFile file, List<Fd> descriptors)
      throws IOException {
    Vring vring = vring(file);
    EventFd given = file.withDescriptor() ? eventFd(request, descriptors) : null;
    switch (request) {
      case SET_VRING_KICK -> {
        if (given == null) {
          throw new VhostUserException("queue " + vring.index + " is to be polled for ever");
        }
        vring.setKick(given);
      }
      case SET_VRING_CALL -> {
        PeerEvent former = vring.call.exchange(given == null ? null : signalling(given));
        if (former != null) {
          closeUnused(vring, former);
        }
      }
      default -> vring.setError(given);
    }
  }

  private static EventFd eventFd(VhostUserRequest request, List<Fd> descriptors)
      throws VhostUserException {
    try {
      EventFd eventFd = EventFd.ofStranger(descriptors.getFirst());
      descriptors.removeFirst();
      return eventFd;
    } catch (LinuxException e) {
      throw new VhostUserException(request + " comes with what is no eventfd", e);
    }
  }

  private static PeerEvent signalling(EventFd given) throws LinuxException {
    try (given) {
      return PeerEvent.of(given);
    }
  }

  /** Closes what the queue's context may be about to use, once it has done so. */
  private void closeUnused(Vring vring, PeerEvent former) {
    if (vring.isWorking()) {
      export
          .queues()
          .context(vring.index)
          .call(
              () -> {
                former.close();
                return null;
              });
    } else {
      former.close();
    }
  }

  private VhostUserPayload config(VhostUserRequest request, Config config)
      throws VhostUserException {
    byte[] bytes = config.bytes();
    if (config.offset() < 0 || config.offset() > Config.MOST_BYTES - bytes.length) {
      throw new VhostUserException(
          request
              + " of "
              + bytes.length
              + " bytes at "
              + Integer.toUnsignedString(config.offset()));
    }
    if (request == VhostUserRequest.GET_CONFIG) {
      VirtioConfigSpace space = export.model().configSpace();
      byte[] read = new byte[bytes.length];
      for (int i = 0; i < read.length; i++) {
        read[i] = (byte) space.read((long) config.offset() + i, 1);
      }
      return new Config(config.offset(), config.flags(), read);
    }
    for (int i = 0; i < bytes.length; i++) {
      export.model().write(features, config.offset() + i, 1, bytes[i] & 0xff);
    }
    return null;
  }

  private void startReady() throws IOException {
    for (Vring vring : vrings) {
      if (featuresSet && !vring.isWorking() && vring.isReady()) {
        start(vring);
      }
    }
  }

  private boolean isPacked() {
    return (features & VirtioFeatures.RING_PACKED) != 0;
  }

  private void start(Vring vring) throws IOException {
    Virtqueue ring = vring.make(memory, features, export.model().options().queueSize());
    SharedLogs.Inherited inherited = logs.inherit(ring);
    memory.settle();
    vring.ring = ring;
    vring.tracker = new VringTracker(memory, inherited.log());
    updateDirtyLog(vring);
    export
        .queues()
        .start(
            vring.index,
            new DeviceQueue(ring, vring.kick, vring.call),
            export.model(),
            features,
            vring.tracker,
            inherited.left());
  }

  private void updateDirtyLogs() {
    for (Vring vring : vrings) {
      if (vring.isWorking()) {
        updateDirtyLog(vring);
      }
    }
  }

  private void updateDirtyLog(Vring vring) {
    boolean logged = (features & VhostUserFeatures.LOG_ALL) != 0;
    vring.tracker.setDirtyLog(logged ? logs.dirty() : null, vring.writtenRanges(memory));
  }

  /** The disk has another length. */
  void configChanged() {
    if (channel != null) {
      channel.configChanged();
    }
  }

  private void closeChannel() {
    if (channel != null) {
      channel.close();
      channel = null;
    }
  }

  /** Tells the client's queues, as far as it wants to know, that they have failed. */
  void signalErrors() {
    for (Vring vring : vrings) {
      vring.signalError();
    }
  }

  /** Gives everything back. No queue works. */
  @Override
  public void close() {
    for (Vring vring : vrings) {
      vring.closeFiles();
    }
    closeChannel();
    logs.close();
    memory.close();
  }
}
