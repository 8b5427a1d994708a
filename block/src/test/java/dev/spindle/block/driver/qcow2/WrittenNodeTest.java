// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static dev.spindle.block.graph.BlockRequest.Operation.DISCARD;
import static dev.spindle.block.graph.BlockRequest.Operation.FLUSH;
import static dev.spindle.block.graph.BlockRequest.Operation.READ;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE_ZEROES;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.options.OptionException;
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
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Nodes write to images; QEMU says whether those are right. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WrittenNodeTest {
  private static final int ROUNDS = 3;
  private static final int DEPTH = 8;

  @TempDir private Path folder;

  private static String node(Path file, String more) {
    return "driver=qcow2,node-name=disk,discard=unmap,file.driver=file,file.filename="
        + file
        + more;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster_size=65536 | 6000128 | 1 | ",
        "compat=0.10 | 6000128 | 2 | ",
        "cluster_size=512,refcount_bits=64 | 1000448 | 3 | ",
        "cluster_size=4096,refcount_bits=1 | 3000320 | 4 |"
            + " ,l2-cache-size=16k,refcount-cache-size=16k",
        "cluster_size=2M,lazy_refcounts=on | 9437184 | 5 | ",
        "cluster_size=65536,extended_l2=on | 6000128 | 6 | ",
        "cluster_size=16384,extended_l2=on,refcount_bits=4 | 2000384 | 7 | ,file.discard=ignore",
        "cluster_size=1024,refcount_bits=2 | 700416 | 8 | ,detect-zeroes=unmap",
        "cluster_size=65536,backing | 6000128 | 9 | ",
        "compat=0.10,cluster_size=4096,backing | 3000320 | 10 | ",
        "cluster_size=65536,extended_l2=on,refcount_bits=32,backing | 6000128 | 11 | ",
        "cluster_size=512,refcount_bits=8,backing | 1000448 | 12 | ,pass-discard-other=on"
      })
  void qemuFindsWhatWasWritten(String options, int size, long seed, String more) throws Exception {
    Path file = folder.resolve("image.qcow2");
    Random random = new Random(seed);
    byte[] model = new byte[size];
    String asked = options;
    if (options.contains(",backing")) {
      byte[] base = new byte[size / 3 * 2 / 512 * 512];
      random.nextBytes(base);
      Arrays.fill(base, 100_000, 300_000, (byte) 0);
      System.arraycopy(base, 0, model, 0, base.length);
      Files.write(folder.resolve("base.raw"), base);
      asked = options.replace(",backing", ",backing_fmt=raw,backing_file=base.raw");
    }
    QemuImg.create(file, asked, size);
    boolean keeps = options.contains("compat=0.10") && options.contains("backing");
    for (int round = 0; round < ROUNDS; round++) {
      try (Disk disk = new Disk(node(file, more == null ? "" : more))) {
        for (int i = 0; i < 25; i++) {
          changeAtOnce(disk, model, random, keeps);
        }
        assertArrayEquals(model, read(disk, size));
      }
      QemuImg.check(file);
      Path raw = Files.write(folder.resolve("model.raw"), model);
      QemuTool.run(
          "qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw.toString(), file.toString());
    }
  }

  private static byte[] read(Disk disk, int size) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(size, 4096).fill((byte) 0xee);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  /** Several requests on their way at once, none of which overlap. */
  private static void changeAtOnce(Disk disk, byte[] model, Random random, boolean keeps)
      throws Exception {
    List<TestRequest> sent = new ArrayList<>();
    try (Arena arena = Arena.ofShared()) {
      int sectors = model.length / 512;
      int at = random.nextInt(sectors / 2);
      for (int i = 0; i < DEPTH && at < sectors; i++) {
        int count = Math.min(sectors - at, 1 + random.nextInt(random.nextInt(4) == 0 ? 400 : 12));
        TestRequest request = request(arena, at * 512, count * 512, model, random, keeps);
        disk.lane().context().execute(() -> disk.lane().submit(request));
        sent.add(request);
        at += count + (random.nextInt(3) == 0 ? random.nextInt(300) : 0);
      }
      for (TestRequest request : sent) {
        assertEquals(0, request.result.join());
      }
    }
  }

  private static TestRequest request(
      Arena arena, int offset, int length, byte[] model, Random random, boolean keeps) {
    int kind = random.nextInt(8);
    if (kind == 7) {
      return TestRequest.range(FLUSH, 0, 0);
    }
    if (kind == 6 && !keeps) {
      // Only whole clusters are given up, so the rest has to be zero as well.
      TestRequest zeroes = TestRequest.range(WRITE_ZEROES, offset, length);
      zeroes.mayUnmap = true;
      Arrays.fill(model, offset, offset + length, (byte) 0);
      return zeroes;
    }
    if (kind == 5) {
      TestRequest zeroes = TestRequest.range(WRITE_ZEROES, offset, length);
      zeroes.forceUnitAccess = random.nextInt(4) == 0;
      Arrays.fill(model, offset, offset + length, (byte) 0);
      return zeroes;
    }
    byte[] data = new byte[length];
    if (kind != 4) {
      random.nextBytes(data);
    }
    System.arraycopy(data, 0, model, offset, length);
    MemorySegment buffer = arena.allocate(length, 4096);
    MemorySegment.copy(data, 0, buffer, ValueLayout.JAVA_BYTE, 0, length);
    TestRequest write = TestRequest.transfer(WRITE, offset, buffer);
    write.forceUnitAccess = random.nextInt(6) == 0;
    return write;
  }

  @Test
  void discardsGiveClustersUpWhereTheyAreWanted() throws Exception {
    Path file = folder.resolve("image.qcow2");
    for (String wanted : List.of("unmap", "ignore")) {
      QemuImg.create(file, "", 4 << 20);
      QemuImg.io(file, List.of("write -P 1 0 4M"));
      String options =
          "driver=qcow2,discard=%s,file.driver=file,file.filename=%s".formatted(wanted, file);
      try (Disk disk = new Disk(options)) {
        assertEquals(0, disk.run(TestRequest.range(DISCARD, 1000, (2 << 20) - 1000)));
        TestRequest zeroes = TestRequest.range(WRITE_ZEROES, 3 << 20, 1 << 20);
        zeroes.mayUnmap = true;
        assertEquals(0, disk.run(zeroes));
      }
      String found = QemuTool.run("qemu-img", "check", "-f", "qcow2", file.toString());
      boolean given = wanted.equals("unmap");
      // 31 and 16 of 64 clusters; kept ones count as allocated.
      assertTrue(found.contains(given ? "17/64 = " : "64/64 = "), found);
      byte[] expected = new byte[4 << 20];
      Arrays.fill(expected, 0, 3 << 20, (byte) 1);
      if (given) {
        Arrays.fill(expected, 65536, 2 << 20, (byte) 0);
      }
      assertArrayEquals(expected, QemuImg.contents(file));
    }
  }

  @Test
  void anImageThatIsReadIsLeftAlone() throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "", 4 << 20);
    QemuImg.io(file, List.of("write -P 1 0 1M"));
    byte[] bytes = Files.readAllBytes(file);
    // An autoclear bit that nobody knows.
    bytes[88] = 0x40;
    Files.write(file, bytes);
    try (Disk disk = new Disk(node(file, ""))) {
      assertEquals(4 << 20, read(disk, 4 << 20).length);
      assertArrayEquals(bytes, Files.readAllBytes(file));
      assertEquals(0, disk.run(TestRequest.range(WRITE_ZEROES, 512, 512)));
    }
    assertEquals(0, Files.readAllBytes(file)[88]);
    QemuImg.check(file);
  }

  /** What QEMU leaves when it is killed has refcounts that are too low. */
  @Test
  void refcountsThatWereWrittenLateAreMended() throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "lazy_refcounts=on", 4 << 20);
    QemuTool.attempt(
        "qemu-io",
        "-f",
        "qcow2",
        "-c",
        "write -P 5 0 1M",
        "-c",
        "flush",
        "-c",
        "sigraise 9",
        file.toString());
    assertEquals(1, Files.readAllBytes(file)[79] & 1);
    try (Disk disk = new Disk(node(file, ""))) {
      assertEquals(0, disk.run(TestRequest.range(WRITE_ZEROES, 0, 512)));
    }
    assertEquals(0, Files.readAllBytes(file)[79] & 1);
    QemuImg.check(file);
    byte[] expected = new byte[4 << 20];
    Arrays.fill(expected, 512, 1 << 20, (byte) 5);
    assertArrayEquals(expected, QemuImg.contents(file));
  }

  @Test
  void refusesWhatCannotBe() throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "", 1 << 20);
    OptionException detect =
        assertThrows(
            OptionException.class,
            () ->
                new Disk(
                    "driver=qcow2,detect-zeroes=unmap,file.driver=file,file.filename=" + file));
    assertTrue(detect.getMessage().contains("discard=unmap"), detect.getMessage());
    OptionException cache =
        assertThrows(
            OptionException.class, () -> new Disk(node(file, ",cache-size=1M,l2-cache-size=2M")));
    assertTrue(cache.getMessage().contains("may not exceed cache-size"), cache.getMessage());
  }
}
