// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static dev.spindle.devices.virtio.RingFormat.INDIRECT;
import static dev.spindle.devices.virtio.RingFormat.NEXT;
import static dev.spindle.devices.virtio.RingFormat.WRITE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.spindle.devices.memory.GuestMemory;
import java.io.IOException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** Everything a driver can do wrong, each by hand, in a split and in a packed ring. */
@ParameterizedClass
@ValueSource(booleans = {false, true})
class VirtqueueFaultTest {
  private static final long GIB = 1L << 30;
  private static final long MIB = 1L << 20;
  private static final int SIZE = 8;
  private static final int MAX_CHAIN = 6;
  private static final long BUFFER = 0x10000;
  private static final long TABLE = 0x20000;

  /** Two regions with the hole between them; hardly any page of it is ever touched. */
  private static GuestMemory memory;

  @Parameter boolean packed;
  private final DescriptorChain chain = new DescriptorChain();

  @BeforeAll
  static void allocate() throws IOException {
    memory = GuestMemory.allocate(3 * GIB + 16 * MIB);
  }

  @AfterAll
  static void giveBack() {
    memory.close();
  }

  private HandMadeRing ring() throws VirtqueueException {
    return ring(SIZE, MAX_CHAIN, VirtioFeatures.INDIRECT_DESC);
  }

  private HandMadeRing ring(int size, int maxChain, long features) throws VirtqueueException {
    return new HandMadeRing(
        memory, features | (packed ? VirtioFeatures.RING_PACKED : 0), size, maxChain);
  }

  private void assertFault(VirtqueueFault fault, HandMadeRing ring) {
    VirtqueueException e = assertThrows(VirtqueueException.class, () -> ring.queue.pop(chain));
    assertEquals(fault, e.fault(), e.getMessage());
    assertTrue(e.getMessage().startsWith("queue 3: "), e.getMessage());
    assertEquals(0, e.getStackTrace().length, "cheap to throw");
    assertEquals(0, chain.count(), "nothing half-read is handed out");
    assertBroken(ring.queue);
  }

  private void assertBroken(Virtqueue queue) {
    assertTrue(queue.isBroken());
    assertFalse(queue.hasAvailable());
    assertFalse(queue.enableNotifications());
    queue.disableNotifications();
    try {
      assertFalse(queue.pop(chain));
    } catch (VirtqueueException e) {
      throw new AssertionError("a broken queue is silent", e);
    }
    assertFalse(queue.publish());
  }

  private void assertPops(HandMadeRing ring) {
    try {
      assertTrue(ring.queue.pop(chain));
    } catch (VirtqueueException e) {
      throw new AssertionError(e);
    }
  }

  // ---- Rings that cannot be ------------------------------------------------------------------

  @Test
  void sizesThatNoQueueCanHave() {
    for (int size : new int[] {0, -1, 32769, 65536}) {
      VirtqueueException e = assertThrows(VirtqueueException.class, () -> ring(size, 4, 0));
      assertEquals(VirtqueueFault.BAD_QUEUE_SIZE, e.fault());
    }
  }

  @Test
  void onlySplitRingsNeedAPowerOfTwo() throws VirtqueueException {
    if (packed) {
      assertEquals(7, ring(7, 4, 0).queue.size());
    } else {
      VirtqueueException e = assertThrows(VirtqueueException.class, () -> ring(7, 4, 0));
      assertEquals(VirtqueueFault.BAD_QUEUE_SIZE, e.fault());
    }
  }

  private VirtqueueFault faultAt(long descriptors, long driver, long device) {
    VirtqueueConfig config = new VirtqueueConfig(3, SIZE, 4, descriptors, driver, device);
    long features = packed ? VirtioFeatures.RING_PACKED : 0;
    return assertThrows(VirtqueueException.class, () -> Virtqueue.create(memory, config, features))
        .fault();
  }

  @Test
  void areasThatAreNotAligned() {
    assertEquals(VirtqueueFault.RING_MISALIGNED, faultAt(0x1008, 0x3000, 0x4000));
    assertEquals(VirtqueueFault.RING_MISALIGNED, faultAt(0x1000, 0x3001, 0x4000));
    assertEquals(VirtqueueFault.RING_MISALIGNED, faultAt(0x1000, 0x3000, 0x4002));
  }

  @Test
  void areasThatAreNotInMemory() {
    long[] nowhere = {3 * GIB, 3 * GIB - 64, -16, -(1L << 63), 4 * GIB + 16 * MIB, 4 * GIB - 16};
    for (long address : nowhere) {
      boolean fits = packed && address == 3 * GIB - 64;
      assertEquals(VirtqueueFault.RING_OUT_OF_MEMORY, faultAt(address, 0x3000, 0x4000));
      if (!fits) {
        assertEquals(VirtqueueFault.RING_OUT_OF_MEMORY, faultAt(0x1000, 0x3000, address));
      }
    }
    assertEquals(VirtqueueFault.RING_OUT_OF_MEMORY, faultAt(0x1000, 3 * GIB, 0x4000));
  }

  // ---- Buffers that cannot be ----------------------------------------------------------------

  @Test
  void aBufferThatIsNotInMemory() throws VirtqueueException {
    long[] nowhere = {3 * GIB, 4 * GIB - 1, 4 * GIB + 16 * MIB, 1L << 62, Long.MIN_VALUE, -4096};
    for (long address : nowhere) {
      assertFault(
          VirtqueueFault.ADDRESS_OUT_OF_MEMORY, ring().descriptor(0, address, 16, 0, 0).offer(0));
    }
  }

  @Test
  void aBufferAcrossTheEndOfARegion() throws VirtqueueException {
    assertFault(
        VirtqueueFault.ADDRESS_OUT_OF_MEMORY, ring().descriptor(0, 3 * GIB - 8, 16, 0, 0).offer(0));
    assertFault(
        VirtqueueFault.ADDRESS_OUT_OF_MEMORY,
        ring().descriptor(0, 3 * GIB - 8, GIB + 16, 0, 0).offer(0));
    assertFault(
        VirtqueueFault.ADDRESS_OUT_OF_MEMORY,
        ring().descriptor(0, 4 * GIB + 16 * MIB - 1, 2, WRITE, 0).offer(0));
    HandMadeRing good = ring().descriptor(0, 4 * GIB + 16 * MIB - 1, 1, WRITE, 0).offer(0);
    assertPops(good);
    assertEquals(3 * GIB + 16 * MIB - 1, chain.offset(0));
  }

  @Test
  void aLengthThatWraps() throws VirtqueueException {
    assertFault(VirtqueueFault.LENGTH_WRAPS, ring().descriptor(0, -8, 16, 0, 0).offer(0));
    assertFault(
        VirtqueueFault.LENGTH_WRAPS, ring().descriptor(0, -1, 0xffff_ffffL, WRITE, 0).offer(0));
  }

  @Test
  void aBufferOfNoBytes() throws VirtqueueException {
    assertFault(VirtqueueFault.ZERO_LENGTH, ring().descriptor(0, BUFFER, 0, 0, 0).offer(0));
    assertFault(
        VirtqueueFault.ZERO_LENGTH,
        ring().descriptor(0, BUFFER, 8, NEXT, 1).descriptor(1, 0, 0, WRITE, 0).offer(0));
  }

  @Test
  void aReadablePieceAfterAWritableOne() throws VirtqueueException {
    assertFault(
        VirtqueueFault.WRITABLE_BEFORE_READABLE,
        ring().descriptor(0, BUFFER, 8, NEXT | WRITE, 1).descriptor(1, BUFFER, 8, 0, 0).offer(0));
  }

  @Test
  void moreThanFourGib() throws VirtqueueException {
    assertFault(
        VirtqueueFault.TOTAL_TOO_LARGE,
        ring().descriptor(0, 0, 3 * GIB, NEXT, 1).descriptor(1, 0, GIB + 1, WRITE, 0).offer(0));
    assertPops(ring().descriptor(0, 0, 3 * GIB, NEXT, 1).descriptor(1, 0, GIB, WRITE, 0).offer(0));
    assertEquals(3 * GIB, chain.readableBytes());
  }

  // ---- Chains that cannot be -----------------------------------------------------------------

  @Test
  void aDescriptorThatNamesItself() throws VirtqueueException {
    assumeFalse(packed, "a packed chain has no links");
    assertFault(
        VirtqueueFault.DESCRIPTOR_LOOP,
        ring(SIZE, 100, 0).descriptor(2, BUFFER, 8, NEXT, 2).offer(2));
  }

  @Test
  void aChainThatGoesRoundForEver() throws VirtqueueException {
    HandMadeRing ring = ring(SIZE, 100, 0);
    for (int i = 0; i < SIZE; i++) {
      ring.descriptor(i, BUFFER, 8, NEXT, (i + 1) % SIZE);
    }
    assertFault(VirtqueueFault.DESCRIPTOR_LOOP, ring.offer(0));
  }

  @Test
  void aChainAsLongAsTheRingIsAllRight() throws VirtqueueException {
    HandMadeRing ring = ring(SIZE, SIZE, 0);
    for (int i = 0; i < SIZE; i++) {
      ring.descriptor(i, BUFFER, 8, i + 1 < SIZE ? NEXT : 0, i + 1);
    }
    assertPops(ring.offer(0));
    assertEquals(SIZE, chain.count());
  }

  @Test
  void aChainLongerThanTheDeviceAllows() throws VirtqueueException {
    HandMadeRing ring = ring();
    for (int i = 0; i <= MAX_CHAIN; i++) {
      ring.descriptor(i, BUFFER, 8, i < MAX_CHAIN ? NEXT : 0, i + 1);
    }
    assertFault(VirtqueueFault.CHAIN_TOO_LONG, ring.offer(0));
  }

  @Test
  void anIndirectChainLongerThanTheDeviceAllows() throws VirtqueueException {
    HandMadeRing ring = ring();
    for (int i = 0; i <= MAX_CHAIN; i++) {
      ring.entry(TABLE, i, BUFFER, 8, i < MAX_CHAIN ? NEXT : 0, i + 1);
    }
    ring.descriptor(0, TABLE, 16 * (MAX_CHAIN + 1), INDIRECT, 0);
    assertFault(VirtqueueFault.CHAIN_TOO_LONG, ring.offer(0));
  }

  @Test
  void aLoopInALargeIndirectTable() throws VirtqueueException {
    HandMadeRing ring = ring(SIZE, 32768, VirtioFeatures.INDIRECT_DESC);
    ring.entry(TABLE, 0, BUFFER, 8, NEXT, 1).entry(TABLE, 1, BUFFER, 8, NEXT, 0);
    // Read as a packed table, the same bytes are followed by empty descriptors.
    ring.descriptor(0, TABLE, 16 * 1024, INDIRECT, 0);
    assertFault(
        packed ? VirtqueueFault.ZERO_LENGTH : VirtqueueFault.DESCRIPTOR_LOOP, ring.offer(0));
  }

  @Test
  void anIndexOutsideItsTable() throws VirtqueueException {
    assumeFalse(packed, "a packed chain has no links");
    assertFault(VirtqueueFault.INDEX_OUT_OF_RANGE, ring().offer(SIZE));
    assertFault(VirtqueueFault.INDEX_OUT_OF_RANGE, ring().offer(0xffff));
    assertFault(
        VirtqueueFault.INDEX_OUT_OF_RANGE, ring().descriptor(0, BUFFER, 8, NEXT, SIZE).offer(0));
    assertFault(
        VirtqueueFault.INDEX_OUT_OF_RANGE,
        ring().entry(TABLE, 0, BUFFER, 8, NEXT, 2).descriptor(0, TABLE, 32, INDIRECT, 0).offer(0));
  }

  @Test
  void anAvailableIndexTooFarAhead() throws VirtqueueException {
    assumeFalse(packed, "a packed ring has no available index");
    assertFault(VirtqueueFault.AVAIL_INDEX_TOO_FAR, ring().availIndex(SIZE + 1));
    assertFault(VirtqueueFault.AVAIL_INDEX_TOO_FAR, ring().availIndex(0xffff));
    HandMadeRing full = ring();
    for (int i = 0; i < SIZE; i++) {
      full.descriptor(i, BUFFER, 8, 0, 0).offer(i);
    }
    assertPops(full);
    assertPops(full);
  }

  @Test
  void anAvailableIndexThatGoesBack() throws VirtqueueException {
    assumeFalse(packed, "a packed ring has no available index");
    HandMadeRing ring = ring().descriptor(0, BUFFER, 8, 0, 0).offer(0);
    assertPops(ring);
    ring.queue.push(chain, 0);
    ring.queue.publish();
    assertFault(VirtqueueFault.AVAIL_INDEX_TOO_FAR, ring.availIndex(0));
  }

  // ---- Indirect tables that cannot be --------------------------------------------------------

  @Test
  void anIndirectDescriptorWithoutTheFeature() throws VirtqueueException {
    assertFault(
        VirtqueueFault.INDIRECT_NOT_NEGOTIATED,
        ring(SIZE, MAX_CHAIN, 0).descriptor(0, TABLE, 16, INDIRECT, 0).offer(0));
  }

  @Test
  void anIndirectDescriptorWithASuccessor() throws VirtqueueException {
    assertFault(
        VirtqueueFault.INDIRECT_WITH_NEXT,
        ring()
            .descriptor(0, TABLE, 16, INDIRECT | NEXT, 1)
            .descriptor(1, BUFFER, 8, 0, 0)
            .offer(0));
  }

  @Test
  void anIndirectTableInAnIndirectTable() throws VirtqueueException {
    assertFault(
        VirtqueueFault.INDIRECT_IN_INDIRECT,
        ring()
            .entry(TABLE, 0, TABLE + 0x1000, 16, INDIRECT, 0)
            .entry(TABLE + 0x1000, 0, BUFFER, 8, 0, 0)
            .descriptor(0, TABLE, 16, INDIRECT, 0)
            .offer(0));
  }

  @Test
  void anIndirectTableOfAnImpossibleSize() throws VirtqueueException {
    for (long length : new long[] {0, 1, 15, 17, 0xffff_ffffL}) {
      assertFault(
          VirtqueueFault.BAD_INDIRECT_TABLE,
          ring().descriptor(0, TABLE, length, INDIRECT, 0).offer(0));
    }
  }

  @Test
  void anIndirectTableThatIsNotInMemory() throws VirtqueueException {
    assertFault(
        VirtqueueFault.ADDRESS_OUT_OF_MEMORY,
        ring().descriptor(0, 3 * GIB - 16, 32, INDIRECT, 0).offer(0));
    assertFault(VirtqueueFault.LENGTH_WRAPS, ring().descriptor(0, -16, 32, INDIRECT, 0).offer(0));
    assertFault(
        VirtqueueFault.ADDRESS_OUT_OF_MEMORY,
        ring().descriptor(0, 4 * GIB + 16 * MIB, 0xffff_fff0L, INDIRECT, 0).offer(0));
  }

  @Test
  void indirectAfterDirectPiecesAndWithWriteFlagAndUnaligned() throws VirtqueueException {
    HandMadeRing ring = ring();
    long table = TABLE + 3;
    ring.entry(table, 0, BUFFER + 0x100, 24, NEXT, 1).entry(table, 1, BUFFER + 0x200, 1, WRITE, 0);
    ring.descriptor(0, BUFFER, 16, NEXT, 1).descriptor(1, table, 32, INDIRECT | WRITE, 0);
    assertPops(ring.offer(0));
    assertEquals(3, chain.count());
    assertEquals(40, chain.readableBytes());
    assertEquals(1, chain.writableBytes());
  }

  // ---- Buffers that are somewhere else -------------------------------------------------------

  @Test
  void aBufferOfferedAgainWhileInFlight() throws VirtqueueException {
    HandMadeRing ring = ring().descriptor(0, BUFFER, 8, 0, 5).offer(0);
    assertPops(ring);
    assertFault(VirtqueueFault.BUFFER_IN_FLIGHT, ring.descriptor(1, BUFFER, 8, 0, 5).offer(0));
    // What is in flight still comes back, to nobody.
    DescriptorChain lost = new DescriptorChain();
    lost.identify(packed ? 5 : 0, 1);
    ring.queue.push(lost, 0);
    assertEquals(0, ring.queue.inFlight());
    assertBroken(ring.queue);
  }

  @Test
  void moreBuffersThanTheRingHasSlots() throws VirtqueueException {
    HandMadeRing ring = ring(4, MAX_CHAIN, 0);
    for (int i = 0; i < 4; i++) {
      ring.descriptor(i, BUFFER, 8, 0, i).offer(i);
      assertPops(ring);
    }
    // The driver's second lap, over slots that are still the device's.
    ring.entry(0x1000, 0, BUFFER, 8, packed ? HandMadeRing.USED : 0, packed ? 9 : 0).offer(0);
    assertFault(VirtqueueFault.TOO_MANY_IN_FLIGHT, ring);
  }

  @Test
  void buffersThatAreUsedButNotPublishedStillCount() throws VirtqueueException {
    HandMadeRing ring = ring(2, MAX_CHAIN, 0);
    for (int i = 0; i < 2; i++) {
      ring.descriptor(i, BUFFER, 8, 0, i).offer(i);
      assertPops(ring);
      ring.queue.push(chain, 0);
    }
    ring.entry(0x1000, 0, BUFFER, 8, packed ? HandMadeRing.USED : 0, 0).offer(0);
    assertFault(VirtqueueFault.TOO_MANY_IN_FLIGHT, ring);
  }

  @Test
  void aPackedChainThatRunsIntoSlotsInFlight() throws VirtqueueException {
    assumeTrue(packed, "a split chain may share descriptors with others");
    HandMadeRing ring = ring(4, MAX_CHAIN, 0).descriptor(0, BUFFER, 8, 0, 0);
    assertPops(ring);
    for (int i = 1; i < 4; i++) {
      ring.descriptor(i, BUFFER, 8, NEXT, 1);
    }
    assertFault(VirtqueueFault.TOO_MANY_IN_FLIGHT, ring);
  }

  @Test
  void anyBufferIdWillDoInAPackedRing() throws VirtqueueException {
    assumeTrue(packed, "a split ring has no buffer ids");
    HandMadeRing ring = ring().descriptor(0, BUFFER, 8, WRITE, 0xffff);
    assertPops(ring);
    assertEquals(0xffff, chain.id());
    ring.queue.push(chain, 8);
    ring.queue.publish();
    assertEquals(0xffff, memory.readShort(0x1000 + 12));
    assertEquals(8, memory.readInt(0x1000 + 8));
  }
}
