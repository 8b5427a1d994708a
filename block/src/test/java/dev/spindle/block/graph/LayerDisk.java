// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A disk in memory that knows which sectors it holds itself, and has the others from a backing
 * disk; it notes every request. A test's stand-in for an image format with a backing chain.
 */
public final class LayerDisk extends BlockNode {
  public static final int SIZE = 64 << 10;
  public static final int SECTOR = 512;

  /** Its own contents, and which sectors of them count. Guarded by this. */
  final byte[] contents;

  public final BitSet held = new BitSet();
  private final LayerDisk backing;

  /** What came, in order: {@code READ 512+1024} for 1024 bytes from 512 on. */
  final List<String> requests = new CopyOnWriteArrayList<>();

  /** The errno with which requests end that are not flushes; 0 for none. */
  volatile int errno;

  /** Whether it cannot zero a range faster than by writing. */
  public volatile boolean slowZeroes;

  LayerDisk(String name, AioContext home, LayerDisk backing, int size) throws BlockException {
    super(name, "layer", home);
    this.contents = new byte[size];
    this.backing = backing;
    if (backing != null) {
      attachChild(backing, "backing", ChildRole.BACKING);
    }
  }

  static LayerDisk add(TestGraph test, String name, LayerDisk backing) throws Exception {
    return add(test, name, backing, SIZE);
  }

  public static LayerDisk add(TestGraph test, String name, LayerDisk backing, int size)
      throws Exception {
    return test.get(
        () -> test.graph.add(new LayerDisk(name, test.mainLoop.context(), backing, size)));
  }

  /** Fills sectors of its own with a value. */
  public LayerDisk fill(int firstSector, int sectors, int value) {
    synchronized (this) {
      for (int i = firstSector * SECTOR; i < (firstSector + sectors) * SECTOR; i++) {
        contents[i] = (byte) value;
      }
      held.set(firstSector, firstSector + sectors);
    }
    return this;
  }

  /** What a reader sees. */
  synchronized byte at(long offset) {
    if (held.get((int) (offset / SECTOR))) {
      return contents[(int) offset];
    }
    return backing == null ? 0 : backing.at(offset);
  }

  public byte[] seen() {
    byte[] seen = new byte[contents.length];
    for (int i = 0; i < seen.length; i++) {
      seen[i] = at(i);
    }
    return seen;
  }

  private synchronized void hold(long offset, long length) {
    long first = offset / SECTOR;
    long last = (offset + length - 1) / SECTOR;
    for (long sector = first; length > 0 && sector <= last; sector++) {
      for (long i = sector * SECTOR; i < (sector + 1) * SECTOR; i++) {
        contents[(int) i] = at(i);
      }
      held.set((int) sector);
    }
  }

  private synchronized void carryOut(BlockRequest request, long offset) {
    MemorySegment own = MemorySegment.ofArray(contents);
    switch (request.operation) {
      case READ -> {
        byte[] data = new byte[(int) request.length];
        for (int i = 0; i < data.length; i++) {
          data[i] = at(offset + i);
        }
        request.buffers.copyFrom(0, MemorySegment.ofArray(data), 0, data.length);
      }
      case WRITE -> {
        hold(offset, request.length);
        request.buffers.copyTo(0, own, offset, request.length);
      }
      case WRITE_ZEROES, DISCARD -> {
        hold(offset, request.length);
        own.asSlice(offset, request.length).fill((byte) 0);
      }
      case FLUSH -> {}
    }
  }

  @Override
  public long length() {
    return contents.length;
  }

  @Override
  public boolean readOnly() {
    return false;
  }

  @Override
  public BlockLimits limits() {
    return BlockLimits.NONE;
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new BlockLane() {
      @Override
      public void submit(BlockRequest request, long offset) {
        requests.add(request.operation + " " + offset + "+" + request.length);
        if (errno != 0 && request.operation != BlockRequest.Operation.FLUSH) {
          request.complete(-errno);
          return;
        }
        if (slowZeroes && request.mustBeFast) {
          request.complete(-Errno.EOPNOTSUPP);
          return;
        }
        carryOut(request, offset);
        request.complete(0);
      }

      @Override
      public long allocated(long offset, long length) {
        synchronized (LayerDisk.this) {
          boolean first = held.get((int) (offset / SECTOR));
          long run = SECTOR - offset % SECTOR;
          while (run < length && held.get((int) ((offset + run) / SECTOR)) == first) {
            run += SECTOR;
          }
          return Math.min(run, length) * (first ? 1 : -1);
        }
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public void close() {
    detachChildren();
  }
}
