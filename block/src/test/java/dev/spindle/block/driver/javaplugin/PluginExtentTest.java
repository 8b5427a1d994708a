// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.plugin.DiskFilter;
import dev.spindle.block.plugin.Extent;
import dev.spindle.block.plugin.NextDisk;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What plugins say of the data that they hold, and how they write durably. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PluginExtentTest {
  private static final int BLOCK = 4096;

  private PluginWorld world;

  @BeforeEach
  void start() throws Exception {
    world = new PluginWorld();
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private static BlockStatus status(BackendLane lane, long offset, long length) {
    CompletableFuture<BlockStatus> answer = new CompletableFuture<>();
    lane.context().startVirtual("status", () -> answer.complete(lane.blockStatus(offset, length)));
    return answer.join();
  }

  /** Every block is a hole, zeroes or data, by a seed; it is not to be asked for less. */
  private static final class Patchy extends MemoryDisk {
    final boolean ownThreads;
    final Extent[] blocks = new Extent[SIZE / BLOCK];

    Patchy(boolean ownThreads) {
      this.ownThreads = ownThreads;
      Random random = new Random(7);
      for (int i = 0; i < blocks.length; i++) {
        blocks[i] =
            switch (random.nextInt(3)) {
              case 0 -> Extent.hole(BLOCK);
              case 1 -> Extent.zeroes(BLOCK);
              default -> Extent.data(BLOCK);
            };
      }
    }

    @Override
    public int blockSize() {
      return BLOCK;
    }

    @Override
    public boolean needsOwnThreads() {
      return ownThreads;
    }

    @Override
    public Extent extent(long offset, long length) {
      if (offset % BLOCK != 0 || length % BLOCK != 0 || length <= 0 || offset + length > SIZE) {
        throw new AssertionError("%d+%d".formatted(offset, length));
      }
      return blocks[(int) offset / BLOCK];
    }
  }

  private static void assertPatchy(Patchy disk, BackendLane lane) {
    Random random = new Random(8);
    for (int i = 0; i < 300; i++) {
      long offset = random.nextInt(MemoryDisk.SIZE);
      long length = 1L + random.nextInt((int) Math.min(3L * BLOCK, MemoryDisk.SIZE - offset));
      Extent expected = disk.blocks[(int) offset / BLOCK];
      long alike = Math.min(length, BLOCK - offset % BLOCK);
      assertEquals(
          new BlockStatus(alike, expected.stored(), expected.zero(), 1),
          status(lane, offset, length));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aDriverSaysWhatItHolds(boolean ownThreads) throws Exception {
    Patchy disk = new Patchy(ownThreads);
    assertPatchy(disk, world.use(world.open("disk", disk, ""), world.test.io0));
  }

  @Test
  void allIsDataUnlessItSaysSo() throws Exception {
    BackendLane lane = world.use(world.open("disk", new MemoryDisk(), ""), world.test.io0);
    assertEquals(BlockStatus.allData(12345), status(lane, 77, 12345));
  }

  @Test
  void whereItThrowsAllIsData() throws Exception {
    MemoryDisk disk =
        new MemoryDisk() {
          @Override
          public Extent extent(long offset, long length) {
            return offset == 0 ? Extent.hole(0) : null;
          }
        };
    BackendLane lane = world.use(world.open("disk", disk, ""), world.test.io0);
    assertEquals(BlockStatus.allData(512), status(lane, 0, 512));
    assertEquals(BlockStatus.allData(512), status(lane, 512, 512));
  }

  /** A filter that shows all but the first block. */
  private record Skips(boolean needsOwnThreads) implements DiskFilter {
    @Override
    public long size(long next) {
      return next - BLOCK;
    }

    @Override
    public Extent extent(NextDisk next, long offset, long length) {
      return next.extent(BLOCK + offset, length);
    }
  }

  @ParameterizedTest
  @CsvSource({"false,false", "false,true", "true,false"})
  void aFilterAsksTheNextDisk(boolean diskHasThreads, boolean filterHasThreads) throws Exception {
    Patchy disk = new Patchy(diskHasThreads);
    world.open("disk", disk, "");
    BackendLane lane =
        world.use(world.open("skips", new Skips(filterHasThreads), "file=disk"), world.test.io0);
    for (int i = 1; i < disk.blocks.length; i++) {
      Extent expected = disk.blocks[i];
      assertEquals(
          new BlockStatus(BLOCK, expected.stored(), expected.zero(), 1),
          status(lane, (i - 1L) * BLOCK, BLOCK));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aTransparentFilterHasTheNextDisksExtents(boolean transparent) throws Exception {
    Patchy disk = new Patchy(false);
    world.open("disk", disk, "");
    DiskFilter filter =
        new DiskFilter() {
          @Override
          public boolean isTransparent() {
            return transparent;
          }
        };
    BackendLane lane = world.use(world.open("filter", filter, "file=disk"), world.test.io0);
    if (transparent) {
      assertPatchy(disk, lane);
    } else {
      assertEquals(BlockStatus.allData(MemoryDisk.SIZE), status(lane, 0, MemoryDisk.SIZE));
    }
  }

  private static int write(BackendLane lane, int length, boolean durably) {
    TestRequest write =
        TestRequest.transfer(Operation.WRITE, 0, PluginWorld.memory(new byte[length]));
    write.forceUnitAccess = durably;
    return PluginWorld.run(lane, write);
  }

  private static final class Durable extends MemoryDisk {
    @Override
    public void writeDurably(MemorySegment data, long offset) {
      calls.add("durable %d+%d".formatted(offset, data.byteSize()));
    }
  }

  @Test
  void aDriverMayWriteDurablyInItsOwnWay() throws Exception {
    Durable disk = new Durable();
    BackendLane lane = world.use(world.open("disk", disk, ""), world.test.io0);
    assertEquals(0, write(lane, 512, false));
    assertEquals(0, write(lane, 3 << 19, true));
    TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, 512, 512);
    zeroes.forceUnitAccess = true;
    assertEquals(0, PluginWorld.run(lane, zeroes));
    assertEquals(
        List.of(
            "write 0+512", "durable 0+1048576", "durable 1048576+524288", "write 512+512", "flush"),
        disk.calls);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aFilterMayHandThatOn(boolean handsOn) throws Exception {
    Durable disk = new Durable();
    world.open("disk", disk, "");
    DiskFilter filter =
        handsOn
            ? new DiskFilter() {
              @Override
              public void writeDurably(NextDisk next, MemorySegment data, long offset)
                  throws Exception {
                next.writeDurably(data, offset);
              }
            }
            : new DiskFilter() {};
    BackendLane lane = world.use(world.open("filter", filter, "file=disk"), world.test.io0);
    assertEquals(0, write(lane, 512, true));
    assertEquals(handsOn ? List.of("durable 0+512") : List.of("write 0+512", "flush"), disk.calls);
  }
}
