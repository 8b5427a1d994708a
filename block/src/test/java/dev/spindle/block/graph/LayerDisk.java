// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.format.BackingName;
import dev.spindle.block.format.Below;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.image.BackedImage;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A disk in memory that knows which sectors it holds itself, and has the others from a backing
 * disk; it notes every request. A test's stand-in for an image format with a backing chain.
 */
public final class LayerDisk extends BlockNode implements BackedImage {
  public static final int SIZE = 64 << 10;
  public static final int SECTOR = 512;

  /** Its own contents, and which sectors of them count. Guarded by this. */
  byte[] contents;

  public final BitSet held = new BitSet();

  /** What came, in order: {@code READ 512+1024} for 1024 bytes from 512 on. */
  public final List<String> requests = new CopyOnWriteArrayList<>();

  /** The errno with which requests end that are not flushes; 0 for none. */
  public volatile int errno;

  /** Whether it cannot zero a range faster than by writing. */
  public volatile boolean slowZeroes;

  /** Why it cannot say what it backs onto; null if it can. */
  public volatile String mute;

  public volatile boolean readOnly;
  private Optional<BackingName> named = Optional.empty();

  LayerDisk(String name, AioContext home, LayerDisk backing, int size) throws BlockException {
    super(name, "layer", home);
    this.contents = new byte[size];
    if (backing != null) {
      named = Optional.of(new BackingName("/layers/" + backing.name(), Optional.of("layer")));
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
      Arrays.fill(contents, firstSector * SECTOR, (firstSector + sectors) * SECTOR, (byte) value);
      held.set(firstSector, firstSector + sectors);
    }
    return this;
  }

  byte at(int offset) {
    return seen()[offset];
  }

  /** What a reader sees, while no link changes. */
  public byte[] seen() {
    Optional<BlockEdge> backing = BackingChain.backing(this);
    byte[] below =
        backing.isEmpty()
            ? new byte[0]
            : ((LayerDisk) BackingChain.image(backing.get().node())).seen();
    synchronized (this) {
      byte[] seen = Arrays.copyOf(below, contents.length);
      for (int sector = held.nextSetBit(0); sector >= 0; sector = held.nextSetBit(sector + 1)) {
        System.arraycopy(contents, sector * SECTOR, seen, sector * SECTOR, SECTOR);
      }
      return seen;
    }
  }

  @Override
  public Optional<BackingName> backingFile() {
    return named;
  }

  @Override
  public void changeBackingFile(Optional<BackingName> backing) throws BlockException {
    if (mute != null) {
      throw new BlockException(mute);
    }
    named = backing;
  }

  @Override
  public synchronized long length() {
    return contents.length;
  }

  @Override
  public synchronized void resize(long newLength) {
    contents = Arrays.copyOf(contents, (int) newLength);
    held.clear((int) (newLength / SECTOR), Integer.MAX_VALUE);
  }

  @Override
  public Optional<Path> localFile() {
    return Optional.of(Path.of("/layers", name()));
  }

  @Override
  public boolean readOnly() {
    return readOnly;
  }

  @Override
  public BlockLimits limits() {
    return BlockLimits.NONE;
  }

  /** How many bytes from {@code offset} on are alike; negative if they are not held. */
  private synchronized long run(long offset, long length) {
    boolean first = held.get((int) (offset / SECTOR));
    long run = SECTOR - offset % SECTOR;
    while (run < length && held.get((int) ((offset + run) / SECTOR)) == first) {
      run += SECTOR;
    }
    return Math.min(run, length) * (first ? 1 : -1);
  }

  /** Whether a request can be carried out without looking at what is below. */
  private boolean isOwn(BlockRequest request, long offset) {
    long end = offset + request.length;
    if (request.length == 0) {
      return true;
    }
    return request.operation == BlockRequest.Operation.READ
        ? run(offset, request.length) >= request.length
        : (offset % SECTOR == 0 || run(offset, 1) > 0) && (end % SECTOR == 0 || run(end, 1) > 0);
  }

  private synchronized void carryOut(BlockRequest request, long offset) {
    MemorySegment own = MemorySegment.ofArray(contents);
    MemoryNode.transfer(request, own, offset);
    if (request.operation == BlockRequest.Operation.DISCARD) {
      own.asSlice(offset, request.length).fill((byte) 0);
    }
    if (request.operation != BlockRequest.Operation.READ && request.length > 0) {
      held.set((int) (offset / SECTOR), (int) ((offset + request.length + SECTOR - 1) / SECTOR));
    }
  }

  private int readThrough(Below below, BlockRequest request, long offset) throws ImageException {
    for (long done = 0; done < request.length; ) {
      long run = run(offset + done, request.length - done);
      if (run < 0) {
        below.read(offset + done, request.buffers, done, -run);
      } else {
        synchronized (this) {
          request.buffers.copyFrom(done, MemorySegment.ofArray(contents), offset + done, run);
        }
      }
      done += Math.abs(run);
    }
    return 0;
  }

  /** Has a sector of its own of which only a part is about to be written. */
  private void fetch(Below below, long sector) throws ImageException {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment data = arena.allocate(SECTOR, SECTOR);
      IoVector vector = new IoVector(1);
      vector.add(data, 0, SECTOR);
      below.read(sector * SECTOR, vector, 0, SECTOR);
      synchronized (this) {
        if (!held.get((int) sector)) {
          MemorySegment.copy(
              data, ValueLayout.JAVA_BYTE, 0, contents, (int) sector * SECTOR, SECTOR);
          held.set((int) sector);
        }
      }
    }
  }

  private int runThrough(Below below, BlockRequest request, long offset) {
    try {
      if (request.operation == BlockRequest.Operation.READ) {
        return readThrough(below, request, offset);
      }
      if (!isOwn(request, offset)) {
        fetch(below, offset / SECTOR);
        fetch(below, (offset + request.length - 1) / SECTOR);
      }
      carryOut(request, offset);
      return 0;
    } catch (ImageException e) {
      return -e.errno();
    }
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    BlockNode backing = BackingChain.backing(this).map(BlockEdge::node).orElse(null);
    BlockLane lane = backing == null ? null : backing.openLane(context);
    Below below = lane == null ? null : new Below(lane, backing.length());
    BlockLane[] children = lane == null ? new BlockLane[0] : new BlockLane[] {lane};
    return new BlockLane(children) {
      @Override
      public void submit(BlockRequest request, long offset) {
        requests.add(request.operation + " " + offset + "+" + request.length);
        if (errno != 0 && request.operation != BlockRequest.Operation.FLUSH) {
          request.complete(-errno);
        } else if (slowZeroes && request.mustBeFast) {
          request.complete(-Errno.EOPNOTSUPP);
        } else if (below == null || isOwn(request, offset)) {
          carryOut(request, offset);
          request.complete(0);
        } else {
          request.completeWith(context, "layer", () -> runThrough(below, request, offset));
        }
      }

      @Override
      public long allocated(long offset, long length) {
        return run(offset, length);
      }

      @Override
      public void close() {
        if (lane != null) {
          lane.close();
        }
      }
    };
  }

  @Override
  public void close() {
    detachChildren();
  }
}
