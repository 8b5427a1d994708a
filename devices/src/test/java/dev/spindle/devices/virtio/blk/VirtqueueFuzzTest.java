// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.Permission;
import dev.spindle.devices.virtio.DescriptorChain;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.VirtqueueConfig;
import dev.spindle.devices.virtio.VirtqueueException;
import dev.spindle.devices.virtio.VirtqueueState;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fuzzer is a guest: its bytes are a queue's rings and buffers, what it writes there later, and
 * when the device does what. The device gets sound chains or a {@link VirtqueueException}, after a
 * bounded number of steps, and writes nowhere but where it may.
 */
class VirtqueueFuzzTest {
  private static final long CAPACITY_SECTORS = 16;
  private static final long BYTES = CAPACITY_SECTORS << VirtioBlkFeatures.SECTOR_SHIFT;
  private static final int MOST_SIZE = 16;
  private static final int MOST_CHAIN = 24;

  private static final FuzzMemory MEMORY = new FuzzMemory();

  /** By the size of a block. */
  private static final Map<Integer, VirtioBlkModel> MODELS = new HashMap<>();

  private static MainLoop mainLoop;
  private static BlockGraph graph;
  private static BlockBackend backend;

  private final List<VirtioBlkRequest> inFlight = new ArrayList<>();
  private VirtqueueSeeds.Script script;
  private boolean packed;
  private int size;
  private int maxChain;
  private boolean readOnly;
  private int blockSize;
  private Virtqueue queue;
  private RequestParser parser;

  static Stream<byte[]> seeds() {
    return VirtqueueSeeds.all();
  }

  @BeforeAll
  static void open() throws Exception {
    mainLoop = MainLoop.start();
    graph = new BlockGraph(mainLoop);
    backend =
        mainLoop.control(
            "open",
            () ->
                new BlockBackend(
                    graph.open(BlkFixture.options("driver=null-co,node-name=disk,size=" + BYTES)),
                    () -> "test",
                    EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE),
                    EnumSet.of(Permission.CONSISTENT_READ)));
    for (int size : new int[] {512, 4096}) {
      MODELS.put(
          size,
          new VirtioBlkModel(
              new VirtioBlkOptions(
                  "serial",
                  true,
                  true,
                  true,
                  true,
                  8,
                  8,
                  64,
                  size,
                  size,
                  0,
                  0,
                  -1,
                  true,
                  ErrorPolicies.REPORT),
              backend,
              true,
              1));
    }
  }

  @AfterAll
  static void close() throws Exception {
    mainLoop.control(
        "close",
        () -> {
          backend.close();
          graph.closeAll();
          return null;
        });
    mainLoop.close();
  }

  @MethodSource("seeds")
  @FuzzTest(maxDuration = "", maxExecutions = 5_000)
  void driver(byte[] bytes) throws Exception {
    if (bytes.length < VirtqueueSeeds.HEAD_BYTES) {
      return;
    }
    script = new VirtqueueSeeds.Script(bytes);
    inFlight.clear();
    MEMORY.fill(bytes, script.imageStart());
    offer();
    while (script.hasNext()) {
      step(script.next());
      assertEquals(inFlight.size(), queue.inFlight());
    }
    drain();
  }

  private void offer() throws VirtqueueException {
    int flags = script.flags();
    packed = (flags & VirtqueueSeeds.PACKED) != 0;
    readOnly = (flags & VirtqueueSeeds.READ_ONLY) != 0;
    blockSize = (flags & VirtqueueSeeds.LARGE_BLOCKS) != 0 ? 4096 : 512;
    size = packed ? 1 + script.size() % MOST_SIZE : 1 << script.size() % 5;
    maxChain = 1 + script.maxChain() % MOST_CHAIN;
    long features =
        (packed ? VirtioFeatures.RING_PACKED : 0)
            | ((flags & VirtqueueSeeds.INDIRECT) != 0 ? VirtioFeatures.INDIRECT_DESC : 0)
            | ((flags & VirtqueueSeeds.EVENT_INDEX) != 0 ? VirtioFeatures.EVENT_IDX : 0);
    queue =
        Virtqueue.create(
            MEMORY,
            new VirtqueueConfig(
                0,
                size,
                maxChain,
                VirtqueueSeeds.DESCRIPTORS,
                VirtqueueSeeds.DRIVER_AREA,
                VirtqueueSeeds.DEVICE_AREA),
            features);
    int start = packed ? script.start() % size : script.start();
    boolean wrap = !packed || (flags & VirtqueueSeeds.SECOND_LAP) == 0;
    queue.restore(new VirtqueueState(start, wrap, start, wrap));
    parser =
        new RequestParser(
            MODELS.get(blockSize),
            (flags & VirtqueueSeeds.RANGES) != 0
                ? VirtioBlkFeatures.DISCARD | VirtioBlkFeatures.WRITE_ZEROES
                : 0,
            readOnly);
  }

  private void step(int operation) {
    switch (operation & 7) {
      case 0, 1, 2 -> pop();
      case 3 -> complete(operation >> 3);
      case 4 -> device(queue::publish);
      case 5 -> device(queue::enableNotifications);
      case 6 -> device(queue::disableNotifications);
      default -> MEMORY.scribble(script.next() | script.next() << 8, script.next());
    }
  }

  private void drain() {
    int taken = 0;
    while (pop()) {
      assertTrue(++taken <= size, "more chains than the ring has room for");
    }
    while (!inFlight.isEmpty()) {
      complete(taken);
    }
    device(queue::publish);
    device(queue::enableNotifications);
  }

  private boolean pop() {
    VirtioBlkRequest request = new VirtioBlkRequest(null, MOST_CHAIN);
    boolean broken = queue.isBroken();
    MEMORY.lookups();
    boolean taken;
    try {
      taken = queue.pop(request.chain);
    } catch (VirtqueueException e) {
      assertFalse(broken, "a broken queue is asked no more");
      assertTrue(queue.isBroken());
      assertEquals(0, request.chain.count());
      taken = false;
    }
    assertTrue(MEMORY.lookups() <= maxChain + 1, "more steps than the longest chain has");
    MEMORY.check("pop");
    if (taken) {
      assertFalse(broken);
      check(request.chain);
      parse(request);
    }
    return taken;
  }

  private void check(DescriptorChain chain) {
    assertTrue(chain.count() >= 1 && chain.count() <= maxChain);
    long readable = 0;
    long writable = 0;
    for (int i = 0; i < chain.count(); i++) {
      assertTrue(FuzzMemory.isInOnePiece(chain.offset(i), chain.length(i)), "outside memory");
      if (chain.isWritable(i)) {
        writable += chain.length(i);
      } else {
        assertEquals(0, writable, "a readable piece after a writable one");
        readable += chain.length(i);
      }
    }
    assertEquals(readable, chain.readableBytes());
    assertEquals(writable, chain.writableBytes());
    assertTrue(inFlight.size() < size, "more buffers in flight than the ring has room for");
    int slots = chain.ringSlots();
    for (VirtioBlkRequest other : inFlight) {
      assertTrue(other.chain.id() != chain.id(), "a buffer is in flight twice");
      slots += other.chain.ringSlots();
    }
    assertTrue(slots <= size, "more slots of the ring taken than it has");
  }

  private void parse(VirtioBlkRequest request) {
    DescriptorChain chain = request.chain;
    allowBuffers(chain);
    Verdict verdict = parser.parse(request);
    boolean malformed =
        chain.readableBytes() < VirtioBlkFeatures.HEADER_BYTES || chain.writableBytes() < 1;
    assertEquals(malformed, verdict == Verdict.MALFORMED);
    if (verdict == Verdict.SUBMIT) {
      checkSubmitted(request);
    }
    if (verdict == Verdict.MALFORMED) {
      device(() -> queue.push(chain, 0));
    } else {
      inFlight.add(request);
    }
    MEMORY.check("the parser");
    MEMORY.forbid();
  }

  private void checkSubmitted(VirtioBlkRequest request) {
    DescriptorChain chain = request.chain;
    long sectors = request.length >> VirtioBlkFeatures.SECTOR_SHIFT;
    assertEquals(0, (request.offset | request.length) % blockSize);
    assertTrue(request.offset >= 0 && request.length >= 0);
    assertTrue((request.offset >> VirtioBlkFeatures.SECTOR_SHIFT) <= CAPACITY_SECTORS - sectors);
    switch (request.operation) {
      case READ -> assertEquals(chain.writableBytes() - 1, request.length);
      case WRITE ->
          assertEquals(chain.readableBytes() - VirtioBlkFeatures.HEADER_BYTES, request.length);
      case DISCARD, WRITE_ZEROES -> assertTrue(sectors <= 8);
      case FLUSH -> assertEquals(0, request.length);
    }
    switch (request.operation) {
      case READ, WRITE -> assertEquals(request.length, request.buffers.totalBytes());
      default -> {}
    }
    assertTrue(request.operation != Operation.WRITE || !readOnly);
  }

  private void allowBuffers(DescriptorChain chain) {
    for (int i = chain.readableCount(); i < chain.count(); i++) {
      MEMORY.allow(chain.offset(i), chain.length(i));
    }
  }

  /** Answers a request as the device does: a status byte, and the buffer is used. */
  private void complete(int which) {
    if (inFlight.isEmpty()) {
      return;
    }
    VirtioBlkRequest request = inFlight.remove(which % inFlight.size());
    DescriptorChain chain = request.chain;
    allowBuffers(chain);
    chain.writeByte(chain.writableBytes() - 1, which & 3);
    MEMORY.check("the answer");
    MEMORY.forbid();
    device(() -> queue.push(chain, which % 2 == 0 ? chain.writableBytes() : 0));
  }

  /** Something that writes to the device's part of the rings at most. */
  private void device(Runnable step) {
    if (packed) {
      MEMORY.allow(VirtqueueSeeds.DESCRIPTORS, (long) RingFormat.DESCRIPTOR_SIZE * size);
      MEMORY.allow(VirtqueueSeeds.DEVICE_AREA, RingFormat.EVENT_SUPPRESSION_SIZE);
    } else {
      MEMORY.allow(VirtqueueSeeds.DEVICE_AREA, RingFormat.usedSize(size));
    }
    step.run();
    MEMORY.check("the queue");
    MEMORY.forbid();
  }
}
