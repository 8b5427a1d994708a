// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.plugin.DiskException;
import dev.spindle.block.plugin.DiskFilter;
import dev.spindle.block.plugin.NextDisk;
import dev.spindle.linux.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A filter and the disk that it stands before. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PluginFilterTest {
  private PluginWorld world;
  private MemoryDisk disk;

  @BeforeEach
  void start() throws Exception {
    world = new PluginWorld();
    disk = new MemoryDisk();
    world.open("disk", disk, "");
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private BackendLane open(DiskFilter filter) throws Exception {
    return world.use(world.open("filter", filter, "file=disk"), world.test.io0);
  }

  /** Changes every byte; its block size makes it meet parts of blocks. */
  private static class Flips implements DiskFilter {
    private final int blockSize;
    private final boolean ownThreads;

    /** Where it puts its data on the way: memory of the heap, its own thread's, or anybody's. */
    private final String place;

    Flips(int blockSize, boolean ownThreads, String place) {
      this.blockSize = blockSize;
      this.ownThreads = ownThreads;
      this.place = place;
    }

    @Override
    public int blockSize() {
      return blockSize;
    }

    @Override
    public boolean needsOwnThreads() {
      return ownThreads;
    }

    @Override
    public void read(NextDisk next, MemorySegment data, long offset) throws Exception {
      next.read(data, offset);
      flip(data, data);
    }

    @Override
    public void write(NextDisk next, MemorySegment data, long offset) throws Exception {
      long size = data.byteSize();
      try (Arena arena = place.equals("confined") ? Arena.ofConfined() : Arena.ofShared()) {
        MemorySegment flipped =
            place.equals("heap")
                ? MemorySegment.ofArray(new byte[(int) size])
                : arena.allocate(size);
        flip(data, flipped);
        next.write(flipped, offset);
      }
    }

    private static void flip(MemorySegment from, MemorySegment to) {
      for (long i = 0; i < from.byteSize(); i++) {
        to.set(ValueLayout.JAVA_BYTE, i, (byte) ~from.get(ValueLayout.JAVA_BYTE, i));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1,false,heap", "512,false,confined", "4096,true,confined", "512,true,shared"})
  void aFilterMayChangeTheData(int blockSize, boolean ownThreads, String place) throws Exception {
    BackendLane lane = open(new Flips(blockSize, ownThreads, place));
    byte[] model = new byte[MemoryDisk.SIZE];
    Arrays.fill(model, (byte) -1);
    Random random = new Random(blockSize);
    for (int i = 0; i < 300; i++) {
      int length = 1 + random.nextInt(9000);
      int offset = random.nextInt(MemoryDisk.SIZE - length + 1);
      if (random.nextBoolean()) {
        byte[] data = new byte[length];
        random.nextBytes(data);
        assertEquals(0, PluginWorld.write(lane, offset, data));
        System.arraycopy(data, 0, model, offset, length);
      } else {
        assertEquals(0, PluginWorld.range(lane, Operation.WRITE_ZEROES, offset, length));
        Arrays.fill(model, offset, offset + length, (byte) 0);
      }
    }
    assertArrayEquals(model, PluginWorld.read(lane, 0, MemoryDisk.SIZE));
    for (int i = 0; i < MemoryDisk.SIZE; i++) {
      assertEquals((byte) ~model[i], disk.contents[i]);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatItDoesNotOverrideIsHandedOn(boolean transparent) throws Exception {
    BackendLane lane =
        open(
            new DiskFilter() {
              @Override
              public boolean isTransparent() {
                return transparent;
              }
            });
    assertEquals(0, PluginWorld.write(lane, 512, new byte[1024]));
    assertEquals(0, PluginWorld.tryRead(lane, 1, 3));
    assertEquals(0, PluginWorld.range(lane, Operation.DISCARD, 4096, 512));
    assertEquals(0, PluginWorld.range(lane, Operation.WRITE_ZEROES, 8192, 512));
    assertEquals(0, PluginWorld.range(lane, Operation.FLUSH, 0, 0));
    assertEquals(
        List.of("write 512+1024", "read 1+3", "discard 4096+512", "write 8192+512", "flush"),
        disk.calls);
  }

  /** Only a transparent one is a filter to the rest of the graph. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void onlyATransparentFilterCanBeTakenOut(boolean transparent) throws Exception {
    BlockNode filter =
        world.open(
            "filter",
            new DiskFilter() {
              @Override
              public boolean isTransparent() {
                return transparent;
              }
            },
            "file=disk");
    BackendLane lane = world.use(filter, world.test.io0);
    if (transparent) {
      world.test.control(() -> world.test.graph.removeFilter(filter));
      assertEquals(0, PluginWorld.write(lane, 0, new byte[512]));
      assertEquals(List.of("write 0+512"), disk.calls);
    } else {
      assertEquals(
          "Node 'filter' is not a filter",
          world.test.refusal(() -> world.test.graph.removeFilter(filter)));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void errorsOfTheNextDiskComeThrough(boolean ownThreads) throws Exception {
    List<Integer> seen = new ArrayList<>();
    world.open(
        "full",
        new MemoryDisk() {
          @Override
          public void write(MemorySegment data, long offset) throws Exception {
            throw offset == 0 ? new DiskException(Errno.ENOSPC, "full") : new IOException("broken");
          }
        },
        "");
    BlockNode filter =
        world.open(
            "filter",
            new DiskFilter() {
              @Override
              public boolean needsOwnThreads() {
                return ownThreads;
              }

              @Override
              public void write(NextDisk next, MemorySegment data, long offset) throws Exception {
                try {
                  next.write(data, offset);
                } catch (DiskException e) {
                  seen.add(e.errno());
                  throw e;
                }
              }
            },
            "file=full");
    BackendLane lane = world.use(filter, world.test.io0);
    assertEquals(-Errno.ENOSPC, PluginWorld.write(lane, 0, new byte[512]));
    assertEquals(-Errno.EIO, PluginWorld.write(lane, 512, new byte[512]));
    assertEquals(List.of(Errno.ENOSPC, Errno.EIO), seen);
  }

  /** What is sent when nobody waits for it would be outside of every section. */
  @Test
  void theNextDiskIsForOneRequestOnItsThread() throws Exception {
    List<NextDisk> kept = new ArrayList<>();
    List<Throwable> found = new ArrayList<>();
    BackendLane lane =
        open(
            new DiskFilter() {
              @Override
              public void read(NextDisk next, MemorySegment data, long offset) throws Exception {
                kept.add(next);
                found.add(
                    assertThrows(
                        IndexOutOfBoundsException.class, () -> next.read(data, next.size() - 1)));
                ExecutionException failure =
                    assertThrows(
                        ExecutionException.class,
                        () -> CompletableFuture.runAsync(() -> use(next)).get());
                found.add(failure.getCause());
                next.read(data, offset);
              }

              private void use(NextDisk next) {
                try {
                  next.flush();
                } catch (DiskException e) {
                  throw new AssertionError(e);
                }
              }
            });
    assertEquals(0, PluginWorld.tryRead(lane, 0, 512));
    assertTrue(found.get(1) instanceof IllegalStateException, () -> found.get(1).toString());
    assertThrows(IllegalStateException.class, () -> kept.getFirst().flush());
    assertEquals(List.of("read 0+512"), disk.calls);
  }

  /** A filter with other data than its disk may have another size. */
  @Test
  void aFilterMayShowAPartOfItsDisk() throws Exception {
    long header = 1 << 20;
    BlockNode filter =
        world.open(
            "filter",
            new DiskFilter() {
              @Override
              public long size(long next) {
                return next - header;
              }

              @Override
              public void write(NextDisk next, MemorySegment data, long offset) throws Exception {
                next.write(data, header + offset);
              }
            },
            "file=disk");
    assertEquals(MemoryDisk.SIZE - header, filter.length());
    BackendLane lane = world.use(filter, world.test.io0);
    assertEquals(0, PluginWorld.write(lane, MemoryDisk.SIZE - header - 512, new byte[512]));
    assertEquals(List.of("write %d+512".formatted(MemoryDisk.SIZE - 512)), disk.calls);
  }

  @Test
  void oneThatSaysItChangesNothingKeepsItsSize() {
    BlockException refusal =
        assertThrows(
            BlockException.class,
            () ->
                world.open(
                    "filter",
                    new DiskFilter() {
                      @Override
                      public boolean isTransparent() {
                        return true;
                      }

                      @Override
                      public long size(long next) {
                        return next - 512;
                      }
                    },
                    "file=disk"));
    assertEquals(
        "Driver of the test could not be opened: it is transparent, but has 4193792 bytes where"
            + " node 'filter' stands before 4194304",
        refusal.getMessage());
  }

  @Test
  void itIsReadOnlyIfItsDiskIsOrItSaysSo() throws Exception {
    world.open("fixed", new MemoryDisk(), "read-only=on");
    assertTrue(world.open("f1", new DiskFilter() {}, "file=fixed").readOnly());
    assertTrue(world.open("f2", new DiskFilter() {}, "file=disk,read-only=on").readOnly());
    assertTrue(
        world
            .open(
                "f3",
                new DiskFilter() {
                  @Override
                  public boolean canWrite() {
                    return false;
                  }
                },
                "file=disk")
            .readOnly());
  }
}
