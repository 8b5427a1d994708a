// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IoVectorTest {
  private static final int MEMORY = 1 << 16;

  private final MemorySegment memory = Arena.ofAuto().allocate(MEMORY);

  @Test
  void rangesOutsideTheirSegmentAreRefused() {
    IoVector vector = new IoVector(4);
    assertThrows(IndexOutOfBoundsException.class, () -> vector.add(memory, MEMORY, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> vector.add(memory, -1, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> vector.add(memory, 1, MEMORY));
    assertThrows(IndexOutOfBoundsException.class, () -> vector.add(memory, 8, Long.MAX_VALUE));
    assertThrows(IndexOutOfBoundsException.class, () -> vector.add(memory, Long.MAX_VALUE, 8));
    assertThrows(
        IllegalArgumentException.class, () -> vector.add(MemorySegment.ofArray(new byte[8]), 0, 8));
    assertEquals(0, vector.count());
    assertEquals(0, vector.totalBytes());
  }

  @Test
  void fullListsRefuseMore() {
    IoVector vector = new IoVector(2);
    vector.add(memory, 0, 1);
    vector.add(memory, 0, 0);
    vector.add(memory, 4, 1);
    assertThrows(IllegalStateException.class, () -> vector.add(memory, 8, 1));
    assertEquals(2, vector.count());
    vector.clear();
    assertEquals(0, vector.totalBytes());
    vector.add(memory, 8, 1);
  }

  @Test
  void theKernelSeesTheRanges() {
    IoVector vector = new IoVector(4);
    vector.add(memory, 100, 20);
    vector.add(memory, 4096, 512);
    MemorySegment array = vector.array();
    assertEquals(memory.address() + 100, array.getAtIndex(ValueLayout.JAVA_LONG, 0));
    assertEquals(20, array.getAtIndex(ValueLayout.JAVA_LONG, 1));
    assertEquals(memory.address() + 4096, array.getAtIndex(ValueLayout.JAVA_LONG, 2));
    assertEquals(512, array.getAtIndex(ValueLayout.JAVA_LONG, 3));
    assertThrows(
        IllegalArgumentException.class, () -> array.setAtIndex(ValueLayout.JAVA_LONG, 0, 1));
  }

  /** Random lists against a plain list of the byte positions that they stand for. */
  @Test
  void everyOperationAgreesWithAListOfBytes() {
    Random random = new Random(20_261_122);
    for (int round = 0; round < 2000; round++) {
      IoVector vector = new IoVector(16);
      List<Integer> model = new ArrayList<>();
      byte[] contents = new byte[MEMORY];
      random.nextBytes(contents);
      memory.copyFrom(MemorySegment.ofArray(contents));
      int ranges = random.nextInt(8);
      for (int i = 0; i < ranges; i++) {
        // Each range in a part of its own: where two overlap, the order of copying would show.
        int offset = i * 8192 + random.nextInt(4096);
        int length = random.nextInt(64);
        vector.add(memory, offset, length);
        for (int at = offset; at < offset + length; at++) {
          model.add(at);
        }
      }
      int front = random.nextInt(model.size() + 1);
      vector.advance(front);
      model = model.subList(front, model.size());
      int kept = random.nextInt(model.size() + 1);
      vector.truncate(kept);
      model = model.subList(0, kept);
      assertSame(model, vector);

      int position = random.nextInt(kept + 1);
      int length = random.nextInt(kept - position + 1);
      IoVector part = new IoVector(16);
      part.addAll(vector, position, length);
      List<Integer> partModel = model.subList(position, position + length);
      assertSame(partModel, part);

      byte[] out = new byte[length];
      vector.copyTo(position, MemorySegment.ofArray(out), 0, length);
      for (int i = 0; i < length; i++) {
        assertEquals(contents[partModel.get(i)], out[i]);
      }

      MemorySegment gathered = Arena.ofAuto().allocate(Math.max(1, length));
      assertTrue(part.gatherInto(gathered));
      for (int i = 0; i < length; i++) {
        assertEquals(out[i], gathered.get(ValueLayout.JAVA_BYTE, i));
      }
      random.nextBytes(out);
      gathered.asSlice(0, length).copyFrom(MemorySegment.ofArray(out));
      assertTrue(part.scatterFrom(gathered));
      for (int i = 0; i < length; i++) {
        contents[partModel.get(i)] = out[i];
      }

      byte[] in = new byte[length];
      random.nextBytes(in);
      if (random.nextBoolean()) {
        vector.copyFrom(position, MemorySegment.ofArray(in), 0, length);
      } else {
        byte value = (byte) random.nextInt();
        Arrays.fill(in, value);
        vector.fill(position, length, value);
      }
      for (int i = 0; i < length; i++) {
        contents[partModel.get(i)] = in[i];
      }
      assertArrayEquals(contents, memory.toArray(ValueLayout.JAVA_BYTE), "round " + round);
    }
  }

  @Test
  void memoryThatIsGoneIsNotCopied(@TempDir Path folder) throws Exception {
    Path path = Files.write(folder.resolve("memory"), new byte[8192]);
    try (LinuxFile file = LinuxFile.open(path, OpenFlag.READ_WRITE);
        Mapping mapping = Mapping.shared(file.fd(), 0, 8192)) {
      IoVector vector = new IoVector(2);
      vector.add(memory, 0, 100);
      vector.add(mapping.segment(), 4000, 200);
      assertTrue(vector.gatherInto(memory.asSlice(1000)));
      assertTrue(vector.scatterFrom(memory.asSlice(1000)));
      file.setLength(4096);
      assertFalse(vector.gatherInto(memory.asSlice(1000)));
      assertFalse(vector.scatterFrom(memory.asSlice(1000)));
      assertThrows(
          IndexOutOfBoundsException.class, () -> vector.gatherInto(memory.asSlice(0, 299)));
    }
  }

  private void assertSame(List<Integer> model, IoVector vector) {
    assertEquals(model.size(), vector.totalBytes());
    int at = 0;
    for (int i = 0; i < vector.count(); i++) {
      long address = vector.array().get(ValueLayout.JAVA_LONG, 16L * i);
      long length = vector.array().get(ValueLayout.JAVA_LONG, 16L * i + 8);
      assertEquals(vector.length(i), length);
      assertEquals(vector.segment(i).address(), address);
      for (long b = 0; b < length; b++) {
        assertEquals(model.get(at++).longValue(), address + b - memory.address());
      }
    }
    assertEquals(model.size(), at);
  }

  @Test
  void positionsPastTheEndAreRefused() {
    IoVector vector = new IoVector(4);
    vector.add(memory, 0, 10);
    MemorySegment other = MemorySegment.ofArray(new byte[100]);
    assertThrows(IndexOutOfBoundsException.class, () -> vector.advance(11));
    assertThrows(IndexOutOfBoundsException.class, () -> vector.truncate(11));
    assertThrows(IndexOutOfBoundsException.class, () -> vector.fill(5, 6, (byte) 0));
    assertThrows(IndexOutOfBoundsException.class, () -> vector.copyTo(0, other, 95, 10));
    assertThrows(IndexOutOfBoundsException.class, () -> vector.copyFrom(1, other, 0, 10));
  }

  @Test
  void alignmentLooksAtEveryRange() {
    MemorySegment pages = Arena.ofAuto().allocate(16384, 4096);
    IoVector vector = new IoVector(4);
    vector.add(pages, 0, 512);
    vector.add(pages, 4096, 1024);
    assertEquals(true, vector.isAligned(511, 511));
    assertEquals(false, vector.isAligned(511, 1023));
    vector.add(pages, 8192 + 16, 512);
    assertEquals(false, vector.isAligned(511, 511));
    assertEquals(true, vector.isAligned(15, 511));
  }
}
