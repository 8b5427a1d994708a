// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LinuxFileTest {
  private static final long MIB = 1 << 20;

  @TempDir Path directory;
  private Path path;

  @BeforeEach
  void name() {
    path = directory.resolve("disk.img");
  }

  private LinuxFile create() throws LinuxException {
    return LinuxFile.open(path, OpenFlag.READ_WRITE, OpenFlag.CREATE);
  }

  @Test
  void errorsNameTheCallThePathAndTheError() {
    LinuxException e =
        assertThrows(LinuxException.class, () -> LinuxFile.open(Path.of("/nowhere/root.img")));
    assertEquals("open /nowhere/root.img: ENOENT (No such file or directory)", e.getMessage());
    assertEquals("open", e.call());
    assertEquals(Errno.ENOENT, e.errno());
    assertEquals("ENOENT", e.errnoName());
  }

  @Test
  void exclusiveCreationFailsWhenTheFileExists() throws Exception {
    Files.createFile(path);
    LinuxException e =
        assertThrows(
            LinuxException.class,
            () -> LinuxFile.open(path, OpenFlag.READ_WRITE, OpenFlag.CREATE, OpenFlag.EXCLUSIVE));
    assertEquals(Errno.EEXIST, e.errno());
  }

  @Test
  void writesAndReadsAtOffsets() throws Exception {
    try (LinuxFile file = create();
        Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(5000);
      data.asSlice(0, 5000).fill((byte) 0x5a);
      file.write(10_000, data);
      assertEquals(15_000, file.size());
      assertEquals(15_000, Files.size(path));

      MemorySegment back = arena.allocate(6000);
      assertEquals(5000, file.read(10_000, back), "cut off at the end of the file");
      assertEquals(-1, back.asSlice(0, 5000).mismatch(data));
      assertEquals(0, file.read(15_000, back));
      assertThrows(
          IllegalArgumentException.class, () -> file.write(0, MemorySegment.ofArray(new byte[1])));
    }
  }

  @Test
  void readOnlyFilesRefuseWrites() throws Exception {
    Files.write(path, new byte[512]);
    try (LinuxFile file = LinuxFile.open(path);
        Arena arena = Arena.ofConfined()) {
      LinuxException e =
          assertThrows(LinuxException.class, () -> file.write(0, arena.allocate(512)));
      assertEquals("pwrite", e.call());
      assertEquals(Errno.EBADF, e.errno());
    }
  }

  @Test
  void holesAppearAndVanish() throws Exception {
    try (LinuxFile file = create()) {
      file.setLength(4 * MIB);
      assertEquals(0, file.allocatedBytes());
      assertEquals(OptionalLong.empty(), file.nextData(0));
      assertEquals(OptionalLong.of(0), file.nextHole(0));

      file.allocate(MIB, MIB);
      assertTrue(file.allocatedBytes() >= MIB);
      assertEquals(4 * MIB, file.size());

      try (Arena arena = Arena.ofConfined()) {
        MemorySegment data = arena.allocate(MIB);
        data.fill((byte) 1);
        file.write(2 * MIB, data);
        file.syncData();
        assertEquals(OptionalLong.of(2 * MIB), file.nextData(2 * MIB));
        assertEquals(OptionalLong.of(3 * MIB), file.nextHole(2 * MIB));

        file.punchHole(2 * MIB, MIB);
        MemorySegment back = arena.allocate(MIB);
        back.fill((byte) 7);
        assertEquals(MIB, file.read(2 * MIB, back));
        assertEquals(-1, back.mismatch(arena.allocate(MIB)), "a hole reads as zeroes");
        file.sync();
        assertEquals(4 * MIB, file.size());
      }
    }
  }

  @Test
  void zeroedRangesReadAsZeroes() throws Exception {
    try (LinuxFile file = create();
        Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(MIB);
      data.fill((byte) 9);
      file.write(0, data);
      try {
        file.zeroRange(4096, 8192);
      } catch (LinuxException e) {
        assumeTrue(e.errno() != Errno.EOPNOTSUPP, "the file system cannot zero ranges");
        throw e;
      }
      MemorySegment back = arena.allocate(MIB);
      file.read(0, back);
      data.asSlice(4096, 8192).fill((byte) 0);
      assertEquals(-1, back.mismatch(data));
    }
  }

  @Test
  void directIoWorksWithTheAlignmentAnnounced() throws Exception {
    try (LinuxFile plain = create()) {
      plain.setLength(MIB);
      DirectIoAlignment alignment = plain.directIoAlignment();
      assumeTrue(alignment.supported(), "the file system has no O_DIRECT");
      try (LinuxFile direct = LinuxFile.open(path, OpenFlag.READ_WRITE, OpenFlag.DIRECT);
          Arena arena = Arena.ofConfined()) {
        int step = alignment.offset();
        MemorySegment page = arena.allocate(8192, 4096);
        MemorySegment data = page.asSlice(alignment.memory() % 4096, step);
        data.fill((byte) 3);
        direct.write(step, data);
        assertEquals(step, direct.read(step, data));
        LinuxException e =
            assertThrows(LinuxException.class, () -> direct.write(1, page.asSlice(0, step)));
        assertEquals(Errno.EINVAL, e.errno());

        direct.setDirect(false);
        direct.write(1, page.asSlice(0, step));
      }
      DirectIoAlignment probed = DirectIoProbe.probe(plain.fd());
      assertEquals(alignment.offset(), probed.offset(), "trying and asking agree");
    }
  }

  @Test
  void typesAreTold() throws Exception {
    try (LinuxFile file = create();
        LinuxFile folder = LinuxFile.open(directory);
        LinuxFile zero = LinuxFile.open(Path.of("/dev/zero"))) {
      assertEquals(LinuxFile.Type.REGULAR, file.type());
      assertEquals(LinuxFile.Type.DIRECTORY, folder.type());
      assertEquals(LinuxFile.Type.CHARACTER_DEVICE, zero.type());
      assertEquals(512, file.logicalBlockSize());
    }
  }

  @Test
  void closingTwiceIsHarmlessAndUseAfterwardsIsNot() throws Exception {
    LinuxFile file = create();
    file.close();
    file.close();
    assertThrows(IllegalStateException.class, file::size);
  }

  @Test
  void locksOfTwoDescriptionsOfOneProcessConflict() throws Exception {
    try (LinuxFile one = create();
        LinuxFile two = LinuxFile.open(path, OpenFlag.READ_WRITE)) {
      assertTrue(one.ofdLock(100, 1, false));
      assertTrue(two.ofdLock(100, 1, false), "read locks share");
      assertTrue(one.ofdTest(100, 1, true));
      assertFalse(one.ofdLock(100, 1, true));
      assertFalse(one.ofdTest(101, 1, true));
      two.ofdUnlock(100, 1);
      assertTrue(one.ofdLock(100, 1, true));
      assertFalse(two.ofdLock(100, 1, false));
    }
  }

  @Test
  void anotherProcessSeesOurLocksAndWeSeeIts() throws Exception {
    Path program = Programs.compile("ofdlock.c", directory);
    try (LinuxFile file = create()) {
      assertTrue(file.ofdLock(201, 2, false));
      assertEquals("refused", tryLock(program, 202, "w"));
      assertEquals("locked", tryLock(program, 202, "r"));
      assertEquals("locked", tryLock(program, 203, "w"));

      try (Programs.Held other =
          new Programs.Held(List.of(program.toString(), path.toString(), "300", "10", "w"))) {
        assertEquals("locked", other.line());
        assertTrue(file.ofdTest(309, 1, false));
        assertFalse(file.ofdTest(310, 1, true));
        assertFalse(file.ofdLock(305, 1, false));
      }
      assertFalse(file.ofdTest(300, 10, true), "its locks end with it");
    }
    assertEquals("locked", tryLock(program, 202, "w"), "ours end with the file");
  }

  private String tryLock(Path program, int start, String kind) throws Exception {
    try (Programs.Held other =
        new Programs.Held(
            List.of(program.toString(), path.toString(), Integer.toString(start), "1", kind))) {
      return other.line();
    }
  }

  @Test
  void qemuRefusesAnImageWhoseWriteLockWeHold() throws Exception {
    assumeTrue(Programs.installed("qemu-io"), "qemu-io is not installed");
    try (LinuxFile file = create()) {
      file.setLength(MIB);
      String[] write = {"qemu-io", "-f", "raw", "-c", "write 0 512", path.toString()};
      assertEquals(0, Programs.status(write));
      // Byte 201: writing is not shared.
      assertTrue(file.ofdLock(201, 1, false));
      assertEquals(1, Programs.status(write));
      file.ofdUnlock(201, 1);
      assertEquals(0, Programs.status(write));
    }
  }

  @Test
  void blockDevicesTellTheirGeometryAndForgetRanges() throws Exception {
    try (LinuxFile file = create();
        Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(8 * MIB);
      data.fill((byte) 0x77);
      file.write(0, data);
      file.sync();
      try (LoopDevice loop = LoopDevice.over(path);
          LinuxFile device = LinuxFile.open(loop.path(), OpenFlag.READ_WRITE)) {
        String name = loop.path().toString();
        assertEquals(LinuxFile.Type.BLOCK_DEVICE, device.type());
        assertEquals(
            Long.parseLong(Programs.run("blockdev", "--getsize64", name).strip()), device.size());
        assertEquals(
            Integer.parseInt(Programs.run("blockdev", "--getss", name).strip()),
            device.logicalBlockSize());
        assertEquals(
            Integer.parseInt(Programs.run("blockdev", "--getpbsz", name).strip()),
            device.physicalBlockSize());
        assertFalse(device.readOnlyDevice());

        device.zeroDevice(MIB, MIB);
        device.discardDevice(4 * MIB, MIB);
        MemorySegment back = arena.allocate(MIB);
        device.read(MIB, back);
        assertEquals(-1, back.mismatch(arena.allocate(MIB)));
        device.read(2 * MIB, back);
        assertEquals(0x77, back.get(ValueLayout.JAVA_BYTE, 0));
        device.read(4 * MIB, back);
        assertEquals(-1, back.mismatch(arena.allocate(MIB)), "a loop device discards to a hole");
      }
    }
  }
}
