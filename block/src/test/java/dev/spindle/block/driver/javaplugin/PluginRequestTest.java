// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.plugin.DiskDriver;
import dev.spindle.block.plugin.DiskException;
import dev.spindle.block.plugin.ThreadModel;
import dev.spindle.linux.Errno;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How requests come to a plain driver, and what becomes of its answers. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PluginRequestTest {
  private PluginWorld world;

  @BeforeEach
  void start() throws Exception {
    world = new PluginWorld();
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private BackendLane open(DiskDriver driver) throws Exception {
    return world.use(world.open("disk", driver, ""), world.test.io0);
  }

  /** A memory disk with blocks, whose every call keeps to them. */
  private static MemoryDisk blocks(int size, boolean ownThreads) {
    return new MemoryDisk() {
      private void check(MemorySegment data, long offset) {
        if (offset % size != 0 || data.byteSize() % size != 0 || data.byteSize() > 1 << 20) {
          throw new AssertionError("%d+%d".formatted(offset, data.byteSize()));
        }
      }

      @Override
      public int blockSize() {
        return size;
      }

      @Override
      public boolean needsOwnThreads() {
        return ownThreads;
      }

      @Override
      public ThreadModel threadModel() {
        return ThreadModel.PARALLEL;
      }

      @Override
      public void read(MemorySegment data, long offset) throws Exception {
        check(data, offset);
        super.read(data, offset);
      }

      @Override
      public void write(MemorySegment data, long offset) throws Exception {
        check(data, offset);
        super.write(data, offset);
      }
    };
  }

  @ParameterizedTest
  @CsvSource({"1,false", "512,false", "4096,false", "65536,false", "1,true", "4096,true"})
  void anyRequestReachesAnyBlockSize(int blockSize, boolean ownThreads) throws Exception {
    MemoryDisk disk = blocks(blockSize, ownThreads);
    BackendLane lane = open(disk);
    byte[] model = new byte[MemoryDisk.SIZE];
    Random random = new Random(blockSize);
    for (int i = 0; i < 600; i++) {
      int unit = random.nextBoolean() ? 1 : 512;
      int length = unit * (1 + random.nextInt(i % 50 == 0 ? 2500 : 100));
      int offset = unit * random.nextInt((MemoryDisk.SIZE - length) / unit + 1);
      switch (random.nextInt(3)) {
        case 0 -> {
          byte[] data = new byte[length];
          random.nextBytes(data);
          assertEquals(0, PluginWorld.run(lane, transfer(Operation.WRITE, offset, data, random)));
          System.arraycopy(data, 0, model, offset, length);
        }
        case 1 -> {
          assertEquals(0, PluginWorld.range(lane, Operation.WRITE_ZEROES, offset, length));
          Arrays.fill(model, offset, offset + length, (byte) 0);
        }
        default ->
            assertArrayEquals(
                Arrays.copyOfRange(model, offset, offset + length),
                PluginWorld.read(lane, offset, length));
      }
    }
    assertArrayEquals(model, PluginWorld.read(lane, 0, MemoryDisk.SIZE));
    assertArrayEquals(model, disk.contents);
  }

  /** In up to four buffers. */
  private static TestRequest transfer(
      Operation operation, long offset, byte[] data, Random random) {
    List<MemorySegment> parts = new ArrayList<>();
    MemorySegment rest = PluginWorld.memory(data);
    for (int i = random.nextInt(4); i > 0 && rest.byteSize() > 1; i--) {
      long cut = 1L + random.nextInt((int) rest.byteSize() - 1);
      parts.add(rest.asSlice(0, cut));
      rest = rest.asSlice(cut);
    }
    parts.add(rest);
    return TestRequest.transfer(operation, offset, parts.toArray(MemorySegment[]::new));
  }

  /** Two who write parts of one block, with a driver that lets others go on in between. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void partsOfABlockWrittenAtOnceAreBothKept(boolean ownThreads) throws Exception {
    MemoryDisk disk =
        new MemoryDisk() {
          @Override
          public int blockSize() {
            return 4096;
          }

          @Override
          public boolean needsOwnThreads() {
            return ownThreads;
          }

          @Override
          public ThreadModel threadModel() {
            return ThreadModel.PARALLEL;
          }

          @Override
          public void read(MemorySegment data, long offset) throws Exception {
            super.read(data, offset);
            Thread.yield();
          }
        };
    BlockNode node = world.open("disk", disk, "");
    BackendLane here = world.use(node, world.test.io0);
    BackendLane there = world.use(node, world.test.io1);
    for (int round = 1; round < 100; round++) {
      List<TestRequest> requests = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        byte[] data = new byte[512];
        Arrays.fill(data, (byte) (round + i));
        TestRequest write =
            TestRequest.transfer(Operation.WRITE, i * 512L, PluginWorld.memory(data));
        requests.add(write);
        BackendLane lane = i % 2 == 0 ? here : there;
        lane.context().execute(() -> lane.submit(write));
      }
      for (TestRequest request : requests) {
        assertEquals(0, request.result.join());
      }
      for (int i = 0; i < 8; i++) {
        assertEquals((byte) (round + i), disk.contents[i * 512]);
        assertEquals((byte) (round + i), disk.contents[i * 512 + 511]);
      }
    }
  }

  @Test
  void whatADriverDoesNotSayHasADefault() throws Exception {
    BlockNode node =
        world.open(
            "disk",
            new DiskDriver() {
              @Override
              public long size() {
                return 1 << 20;
              }

              @Override
              public void read(MemorySegment data, long offset) {
                data.fill((byte) 7);
              }
            },
            "");
    assertTrue(node.readOnly());
    assertEquals(1 << 20, node.length());
    assertEquals(BlockLimits.NONE, node.limits());
    BackendLane lane = world.use(node, world.test.io0);
    assertArrayEquals(new byte[] {7, 7, 7}, PluginWorld.read(lane, 5, 3));
    assertEquals(-Errno.EPERM, PluginWorld.write(lane, 0, new byte[512]));
    assertEquals(0, PluginWorld.range(lane, Operation.FLUSH, 0, 0));
  }

  @Test
  void zeroesAreWrittenWhereNothingElseIsSaid() throws Exception {
    MemoryDisk disk = new MemoryDisk();
    BackendLane lane = open(disk);
    Arrays.fill(disk.contents, (byte) 1);
    assertEquals(0, PluginWorld.range(lane, Operation.WRITE_ZEROES, 512, 100 << 10));
    assertEquals(List.of("write 512+65536", "write 66048+36864"), disk.calls);
    byte[] expected = new byte[MemoryDisk.SIZE];
    Arrays.fill(expected, (byte) 1);
    Arrays.fill(expected, 512, 512 + (100 << 10), (byte) 0);
    assertArrayEquals(expected, disk.contents);
  }

  @Test
  void zeroesThatMustBeFastAreNotPromised() throws Exception {
    MemoryDisk disk = new MemoryDisk();
    BackendLane lane = open(disk);
    TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, 0, 512);
    zeroes.mustBeFast = true;
    assertEquals(-Errno.EOPNOTSUPP, PluginWorld.run(lane, zeroes));
    assertEquals(List.of(), disk.calls);
  }

  @Test
  void onlyWholeBlocksAreDiscarded() throws Exception {
    MemoryDisk disk = blocks(4096, false);
    BackendLane lane = open(disk);
    assertEquals(0, PluginWorld.range(lane, Operation.DISCARD, 512, 12288));
    assertEquals(0, PluginWorld.range(lane, Operation.DISCARD, 512, 4096));
    assertEquals(List.of("discard 4096+8192"), disk.calls);
  }

  @Test
  void whatMustBeDurableIsFlushed() throws Exception {
    MemoryDisk disk = new MemoryDisk();
    BackendLane lane = open(disk);
    TestRequest write = TestRequest.transfer(Operation.WRITE, 0, PluginWorld.memory(new byte[512]));
    write.forceUnitAccess = true;
    assertEquals(0, PluginWorld.run(lane, write));
    TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, 512, 512);
    zeroes.forceUnitAccess = true;
    assertEquals(0, PluginWorld.run(lane, zeroes));
    assertEquals(0, PluginWorld.range(lane, Operation.FLUSH, 0, 0));
    assertEquals(List.of("write 0+512", "flush", "write 512+512", "flush", "flush"), disk.calls);
  }

  /** What it throws, for each request in turn. */
  private static MemoryDisk throwing(boolean ownThreads, List<Throwable> thrown) {
    AtomicInteger next = new AtomicInteger();
    return new MemoryDisk() {
      @Override
      public boolean needsOwnThreads() {
        return ownThreads;
      }

      @Override
      public void read(MemorySegment data, long offset) throws Exception {
        Throwable now = thrown.get(next.getAndIncrement() % thrown.size());
        switch (now) {
          case null -> super.read(data, offset);
          case Exception e -> throw e;
          case Error e -> throw e;
          default -> throw new AssertionError(now);
        }
      }
    };
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whateverIsThrownFailsThatRequestAlone(boolean ownThreads) throws Exception {
    List<Throwable> thrown =
        Arrays.asList(
            new DiskException(Errno.ENOSPC, "full"),
            new DiskException(Errno.EROFS, "no"),
            new IOException("broken"),
            new NullPointerException(),
            new NoSuchMethodError(),
            new StackOverflowError(),
            new OutOfMemoryError(),
            null);
    BackendLane lane = open(throwing(ownThreads, thrown));
    int[] expected = {
      Errno.ENOSPC, Errno.EROFS, Errno.EIO, Errno.EIO, Errno.EIO, Errno.EIO, Errno.ENOMEM, 0
    };
    for (int round = 0; round < 3; round++) {
      for (int errno : expected) {
        assertEquals(-errno, PluginWorld.tryRead(lane, 0, 512));
      }
    }
    assertEquals(0, PluginWorld.write(lane, 0, new byte[512]));
  }

  @Test
  void aRangeThatLeavesTheDiskNeverReachesIt() throws Exception {
    MemoryDisk disk = new MemoryDisk();
    BackendLane lane = open(disk);
    assertEquals(-Errno.EIO, PluginWorld.tryRead(lane, MemoryDisk.SIZE - 256, 512));
    assertEquals(-Errno.EIO, PluginWorld.tryRead(lane, Long.MAX_VALUE - 10, 512));
    assertEquals(-Errno.EIO, PluginWorld.range(lane, Operation.DISCARD, 0, Long.MAX_VALUE));
    assertEquals(List.of(), disk.calls);
  }

  @Test
  void dataToBeWrittenCannotBeChanged() throws Exception {
    BackendLane lane =
        open(
            new MemoryDisk() {
              @Override
              public void write(MemorySegment data, long offset) {
                data.fill((byte) 1);
              }
            });
    MemorySegment memory = PluginWorld.memory(new byte[1024]);
    for (MemorySegment[] buffers :
        List.of(
            new MemorySegment[] {memory},
            new MemorySegment[] {memory.asSlice(0, 512), memory.asSlice(512)})) {
      assertEquals(
          -Errno.EIO, PluginWorld.run(lane, TestRequest.transfer(Operation.WRITE, 0, buffers)));
    }
    assertEquals(-1, memory.mismatch(PluginWorld.memory(new byte[1024])));
  }

  /** Counts how many are within a request at once, and lets others in. */
  private static final class Crowd extends MemoryDisk {
    final ThreadModel model;
    final boolean ownThreads;
    final AtomicInteger inside = new AtomicInteger();
    final AtomicInteger most = new AtomicInteger();
    final CountDownLatch two = new CountDownLatch(2);

    Crowd(ThreadModel model, boolean ownThreads) {
      this.model = model;
      this.ownThreads = ownThreads;
    }

    @Override
    public ThreadModel threadModel() {
      return model;
    }

    @Override
    public boolean needsOwnThreads() {
      return ownThreads;
    }

    @Override
    public void read(MemorySegment data, long offset) throws Exception {
      most.accumulateAndGet(inside.incrementAndGet(), Math::max);
      if (model == ThreadModel.PARALLEL) {
        // Returns only if another one is here as well.
        two.countDown();
        two.await();
      } else {
        for (int i = 0; i < 10; i++) {
          Thread.yield();
        }
      }
      inside.decrementAndGet();
    }
  }

  @ParameterizedTest
  @CsvSource({"SERIALIZED,false", "SERIALIZED,true", "PARALLEL,false", "PARALLEL,true"})
  void requestsComeAsTheThreadModelSays(ThreadModel model, boolean ownThreads) throws Exception {
    Crowd crowd = new Crowd(model, ownThreads);
    BlockNode node = world.open("disk", crowd, "");
    BackendLane here = world.use(node, world.test.io0);
    BackendLane there = world.use(node, world.test.io1);
    List<TestRequest> requests = new ArrayList<>();
    for (int i = 0; i < 64; i++) {
      TestRequest read = TestRequest.transfer(Operation.READ, 0, PluginWorld.memory(new byte[512]));
      requests.add(read);
      BackendLane lane = i % 2 == 0 ? here : there;
      lane.context().execute(() -> lane.submit(read));
    }
    for (TestRequest request : requests) {
      assertEquals(0, request.result.join());
    }
    assertEquals(model == ThreadModel.SERIALIZED, crowd.most.get() == 1, crowd.most::toString);
  }

  /** One that waits lets go of the iothread; one that computes for ever must have said so. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aDriverThatHangsHoldsNoOtherDisk(boolean spins) throws Exception {
    CountDownLatch goOn = new CountDownLatch(1);
    CountDownLatch hanging = new CountDownLatch(1);
    BackendLane hung =
        open(
            new MemoryDisk() {
              @Override
              public boolean needsOwnThreads() {
                return spins;
              }

              @Override
              public void read(MemorySegment data, long offset) throws Exception {
                hanging.countDown();
                while (spins && goOn.getCount() > 0) {
                  Thread.onSpinWait();
                }
                goOn.await();
              }
            });
    BackendLane other = world.use(world.open("other", new MemoryDisk(), ""), world.test.io0);
    TestRequest waits = TestRequest.transfer(Operation.READ, 0, PluginWorld.memory(new byte[512]));
    TestRequest behind = TestRequest.range(Operation.FLUSH, 0, 0);
    try {
      TestGraph.send(hung, waits);
      hanging.await();
      TestGraph.send(hung, behind);
      for (int i = 0; i < 100; i++) {
        assertEquals(0, PluginWorld.write(other, 0, new byte[512]));
      }
      assertFalse(waits.result.isDone());
      assertFalse(behind.result.isDone());
    } finally {
      goOn.countDown();
    }
    assertEquals(0, waits.result.join());
    assertEquals(0, behind.result.join());
  }

  @Test
  void anErrorNumberThatIsNoneIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new DiskException(0, "none"));
    assertThrows(IllegalArgumentException.class, () -> new DiskException(-5, "negated"));
    assertThrows(IllegalArgumentException.class, () -> new DiskException(4096, "too large"));
  }
}
