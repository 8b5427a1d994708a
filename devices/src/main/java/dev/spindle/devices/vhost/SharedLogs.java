// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.vhost.VhostUserPayload.LogArea;
import dev.spindle.devices.virtio.PackedVirtqueue;
import dev.spindle.devices.virtio.SplitVirtqueue;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.blk.LeftBehind;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.MemFd;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/**
 * The memory that a back end shares with a front end besides the guest's: the log of written pages,
 * and that of requests in flight. Control side; changed while no queue works.
 */
final class SharedLogs implements AutoCloseable {
  private static final long PAGE = 4096;
  private static final long MOST_BYTES = 1L << 36;

  private DirtyLog dirty;
  private Mapping inflight;

  /** Of {@link #inflight}: where it begins, and what it is laid out for. */
  private long inflightOffset;

  private long inflightBytes;

  private int inflightQueues;
  private int inflightQueueSize;

  /**
   * Memory for the requests in flight.
   *
   * @param area what it is laid out for
   * @param file to be closed by the caller
   */
  record Offer(Inflight area, List<Fd> file) {}

  /** The log of written pages, or null. */
  DirtyLog dirty() {
    return dirty;
  }

  /**
   * Opens a log of written pages instead of the one there was.
   *
   * @param fd its file; stays the caller's
   * @throws VhostUserException if the log exceeds it, or could be cut off
   */
  void setDirtyLog(LogArea area, Fd fd) throws VhostUserException, LinuxException {
    Mapping mapping = map("log", area.bytes(), area.fileOffset(), fd);
    if (dirty != null) {
      dirty.close();
    }
    dirty = new DirtyLog(mapping, area.fileOffset() & (PAGE - 1), area.bytes());
  }

  /**
   * Makes memory for the requests in flight, which the front end is to send back.
   *
   * @param asked for how many queues of which size
   * @param packed whether the queues are packed
   */
  Offer offerInflight(Inflight asked, int queues, int queueSize, boolean packed)
      throws VhostUserException, LinuxException {
    check(asked, queues, queueSize);
    long bytes = asked.queues() * bytes(asked.queueSize(), packed);
    try (MemFd memFd = MemFd.create("vhost-user-inflight", bytes, MemFd.Pages.NORMAL)) {
      return new Offer(
          new Inflight(bytes, 0, asked.queues(), asked.queueSize()),
          List.of(memFd.fd().duplicate()));
    }
  }

  private static void check(Inflight area, int queues, int queueSize) throws VhostUserException {
    if (area.queues() < 1
        || area.queues() > queues
        || area.queueSize() < 1
        || area.queueSize() > queueSize) {
      throw new VhostUserException(
          "requests in flight of "
              + area.queues()
              + " queues of "
              + area.queueSize()
              + " descriptors");
    }
  }

  /**
   * Takes over the memory for the requests in flight.
   *
   * @param fd its file; stays the caller's
   * @throws VhostUserException if it is too small for what it is laid out for, or could be cut off
   */
  void setInflight(Inflight area, Fd fd, int queues, int queueSize)
      throws VhostUserException, LinuxException {
    check(area, queues, queueSize);
    if (area.bytes() < area.queues() * InflightLog.bytes(area.queueSize())
        || area.fileOffset() % Long.BYTES != 0) {
      throw new VhostUserException(
          "memory of " + area.bytes() + " bytes for requests in flight, which is too small");
    }
    Mapping mapping = map("requests in flight", area.bytes(), area.fileOffset(), fd);
    if (inflight != null) {
      inflight.close();
    }
    inflight = mapping;
    inflightOffset = area.fileOffset() & (PAGE - 1);
    inflightBytes = area.bytes();
    inflightQueues = area.queues();
    inflightQueueSize = area.queueSize();
  }

  private static long bytes(int queueSize, boolean packed) {
    return packed ? PackedInflightLog.bytes(queueSize) : InflightLog.bytes(queueSize);
  }

  /**
   * What the back end before has left of a queue.
   *
   * @param log where the queue's requests are noted from now on; null if the front end keeps none
   * @param left those that are to be carried out first
   */
  record Inherited(RequestLog log, LeftBehind left) {}

  /**
   * Opens the part of one queue, and has it go on where the back end before has died.
   *
   * @param ring just made
   * @throws VhostUserException if there is no room for the queue, or what is there cannot be
   */
  Inherited inherit(Virtqueue ring) throws VhostUserException {
    if (inflight == null) {
      return new Inherited(null, LeftBehind.NONE);
    }
    return switch (ring) {
      case SplitVirtqueue split -> {
        InflightLog log = new InflightLog(part(ring, false), ring.size(), split);
        LeftBehind left = log.recover();
        split.resume(split.usedIndex() + left.count());
        yield new Inherited(log, left);
      }
      case PackedVirtqueue packed -> {
        PackedInflightLog log = new PackedInflightLog(part(ring, true), ring.size(), packed);
        yield new Inherited(log, log.recover(packed.state()));
      }
    };
  }

  private MemorySegment part(Virtqueue ring, boolean packed) throws VhostUserException {
    int index = ring.index();
    long bytes = bytes(inflightQueueSize, packed);
    if (index >= inflightQueues
        || ring.size() > inflightQueueSize
        || (index + 1) * bytes > inflightBytes) {
      throw new VhostUserException("queue " + index + " has no room for its requests in flight");
    }
    return inflight.segment().asSlice(inflightOffset + index * bytes, bytes);
  }

  private static Mapping map(String what, long bytes, long offset, Fd fd)
      throws VhostUserException, LinuxException {
    // First of all, and before any file system is asked: it might never answer.
    if (!MemFd.sealAgainstLoss(fd)) {
      throw new VhostUserException(
          "the memory for "
              + what
              + " could vanish: it must be a memfd of ordinary pages that can be sealed");
    }
    long size = LinuxFile.adopt(fd, Path.of(what)).size();
    if (bytes <= 0 || bytes > MOST_BYTES || offset < 0 || offset > size - bytes) {
      throw new VhostUserException(
          "the memory for %s, %d bytes at %d, exceeds its file of %d bytes"
              .formatted(what, bytes, offset, size));
    }
    long start = offset & -PAGE;
    return Mapping.shared(fd, start, (offset + bytes - start + PAGE - 1) & -PAGE);
  }

  @Override
  public void close() {
    if (dirty != null) {
      dirty.close();
      dirty = null;
    }
    if (inflight != null) {
      inflight.close();
      inflight = null;
    }
  }
}
