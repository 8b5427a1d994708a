// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.spindle.linux.Allocation;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.MemFd;
import dev.spindle.linux.OpenFlag;
import dev.spindle.linux.Programs;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Registered memory does what memory does, only the kernel no longer looks at addresses: it keeps
 * the pages that were there when the memory was registered. That is how these tests tell: after the
 * mapping has been given other pages, an operation on registered memory still reaches the old ones,
 * any other the new ones.
 */
@Timeout(60)
class RegisteredMemoryTest {
  private static final int PAGE = 4096;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_SHARED_FIXED = 0x11;

  @TempDir private Path folder;
  private IoUring ring;
  private LinuxFile file;
  private int handle;
  private final SplittableRandom random = new SplittableRandom(7);

  @BeforeEach
  void open() throws Exception {
    ring = IoUring.create(8);
    file = LinuxFile.open(folder.resolve("file"), OpenFlag.READ_WRITE, OpenFlag.CREATE);
    handle = ring.registerFile(file.fd());
  }

  @AfterEach
  void close() {
    ring.close();
    file.close();
  }

  private byte[] randomBytes(int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return bytes;
  }

  private static byte[] bytes(MemorySegment memory, long offset, int length) {
    return memory.asSlice(offset, length).toArray(JAVA_BYTE);
  }

  private static IoVector vector(MemorySegment memory, long... ranges) {
    IoVector vector = new IoVector(ranges.length / 2);
    for (int i = 0; i < ranges.length; i += 2) {
      vector.add(memory, ranges[i], ranges[i + 1]);
    }
    return vector;
  }

  /** Submits what is pending and returns the result of the one operation in flight. */
  private int await() throws LinuxException {
    int[] result = new int[1];
    while (ring.reap((userData, value, more) -> result[0] = value) == 0) {
      ring.submitAndWait(-1);
    }
    return result[0];
  }

  private int read(IoVector vector, long offset) throws LinuxException {
    assertTrue(ring.submission().prepRead(handle, vector, offset, 1));
    return await();
  }

  private int write(IoVector vector, long offset) throws LinuxException {
    assertTrue(ring.submission().prepWrite(handle, vector, offset, true, 1));
    return await();
  }

  @Test
  void registeredPagesAreUsedUntilTheRegistrationEnds() throws Exception {
    byte[] before = randomBytes(2 * PAGE);
    byte[] after = randomBytes(2 * PAGE);
    Path path = file.path();
    try (Mapping mapping = Mapping.anonymous(3 * PAGE)) {
      MemorySegment memory = mapping.segment();
      memory.copyFrom(MemorySegment.ofArray(before));
      int registration = ring.registerMemory(memory.asSlice(0, 2 * PAGE));
      assertTrue(registration >= 0, Errno.name(-registration));
      mapping.advise(Mapping.Advice.DONT_NEED);

      assertEquals(2 * PAGE - 100, write(vector(memory, 100, 2 * PAGE - 100), 100));
      byte[] written = before.clone();
      Arrays.fill(written, 0, 100, (byte) 0);
      assertArrayEquals(written, Files.readAllBytes(path));

      Files.write(path, after);
      assertEquals(2 * PAGE, read(vector(memory, 0, 2 * PAGE), 0));
      assertArrayEquals(new byte[2 * PAGE], bytes(memory, 0, 2 * PAGE));
      // A list of buffers goes by addresses, as it would without registration.
      assertEquals(PAGE, read(vector(memory, 0, 100, 200, PAGE - 100), 0));
      assertArrayEquals(Arrays.copyOf(after, 100), bytes(memory, 0, 100));
      // So does a buffer that is not registered to its end.
      assertEquals(2 * PAGE, read(vector(memory, PAGE, 2 * PAGE), 0));
      assertArrayEquals(after, bytes(memory, PAGE, 2 * PAGE));

      ring.unregisterMemory(registration);
      assertEquals(2 * PAGE, read(vector(memory, 0, 2 * PAGE), 0));
      assertArrayEquals(after, bytes(memory, 0, 2 * PAGE));
      assertThrows(IllegalArgumentException.class, () -> ring.unregisterMemory(registration));
    }
  }

  /** On 1 GiB and 2 MiB of addresses, which are 2 MiB of memory again and again. */
  @Test
  void aBufferMayCrossFromOneEntryToTheNext() throws Exception {
    int size = 2 << 20;
    long boundary = 1L << 30;
    byte[] before = randomBytes(size);
    byte[] after = randomBytes(2 * PAGE);
    try (MemFd memFd = MemFd.create("again", size, MemFd.Pages.NORMAL);
        Mapping once = memFd.map();
        Mapping mapping = Mapping.anonymous(boundary + size)) {
      MemorySegment memory = mapping.segment();
      for (long offset = 0; offset < memory.byteSize(); offset += size) {
        long address = memory.address() + offset;
        long mapped =
            Syscall.invoke(
                SyscallNumber.MMAP,
                address,
                size,
                PROT_READ_WRITE,
                MAP_SHARED_FIXED,
                memFd.fd().number(),
                0);
        assertEquals(address, mapped);
      }
      once.segment().copyFrom(MemorySegment.ofArray(before));
      int registration = ring.registerMemory(memory);
      assumeTrue(registration != -Errno.ENOMEM, "RLIMIT_MEMLOCK allows 1 GiB");
      assertTrue(registration >= 0, Errno.name(-registration));
      once.advise(Mapping.Advice.REMOVE);
      once.segment().copyFrom(MemorySegment.ofArray(after));
      once.segment().asSlice(size - PAGE).copyFrom(MemorySegment.ofArray(after).asSlice(PAGE));

      assertEquals(PAGE, write(vector(memory, boundary - PAGE, PAGE), 0));
      assertEquals(2 * PAGE, write(vector(memory, boundary, 2 * PAGE), PAGE));
      assertEquals(2 * PAGE, write(vector(memory, boundary - PAGE, 2 * PAGE), 3 * PAGE));
      byte[] written = Files.readAllBytes(file.path());
      assertArrayEquals(
          Arrays.copyOfRange(before, size - PAGE, size), Arrays.copyOf(written, PAGE));
      assertArrayEquals(
          Arrays.copyOf(before, 2 * PAGE), Arrays.copyOfRange(written, PAGE, 3 * PAGE));
      // Across the boundary: by addresses, and so what lies there now.
      assertArrayEquals(
          Arrays.copyOfRange(after, PAGE, 2 * PAGE),
          Arrays.copyOfRange(written, 3 * PAGE, 4 * PAGE));
      assertArrayEquals(
          Arrays.copyOf(after, PAGE), Arrays.copyOfRange(written, 4 * PAGE, 5 * PAGE));
      ring.unregisterMemory(registration);
    }
  }

  @Test
  void operationsInFlightOutliveTheRegistration() throws Exception {
    Path pipe = folder.resolve("pipe");
    Programs.run("mkfifo", pipe.toString());
    byte[] sent = randomBytes(PAGE);
    try (LinuxFile end = LinuxFile.open(pipe, OpenFlag.READ_WRITE);
        Mapping mapping = Mapping.anonymous(PAGE)) {
      MemorySegment memory = mapping.segment();
      int registration = ring.registerMemory(memory);
      assertTrue(registration >= 0, Errno.name(-registration));
      int pipeHandle = ring.registerFile(end.fd());
      assertTrue(ring.submission().prepRead(pipeHandle, vector(memory, 0, PAGE), 0, 1));
      ring.submit();
      assertEquals(0, ring.submission().pending());
      ring.unregisterMemory(registration);
      ring.unregisterFile(pipeHandle);
      Files.write(pipe, sent);
      assertEquals(PAGE, await());
      assertArrayEquals(sent, bytes(memory, 0, PAGE));
    }
  }

  @Test
  void whatWaitsForSubmissionForgetsTheRegistration() throws Exception {
    byte[] content = randomBytes(2 * PAGE);
    Files.write(file.path(), content);
    try (Mapping mapping = Mapping.anonymous(PAGE);
        Mapping other = Mapping.anonymous(PAGE)) {
      int registration = ring.registerMemory(mapping.segment());
      assertTrue(registration >= 0, Errno.name(-registration));
      IoVector target = vector(mapping.segment(), 0, PAGE);
      assertTrue(ring.submission().prepRead(handle, target, PAGE, 1));
      ring.unregisterMemory(registration);
      // Takes the entry that the read was prepared for.
      assertEquals(registration, ring.registerMemory(other.segment()));
      assertEquals(PAGE, await());
      assertArrayEquals(
          Arrays.copyOfRange(content, PAGE, 2 * PAGE), bytes(mapping.segment(), 0, PAGE));
      assertArrayEquals(new byte[PAGE], bytes(other.segment(), 0, PAGE));
    }
  }

  @Test
  void segmentsBeyondTheTableGoUnregistered() throws Exception {
    byte[] content = randomBytes(PAGE);
    Files.write(file.path(), content);
    List<Integer> registrations = new ArrayList<>();
    long size = (RegisteredMemory.SEGMENTS + 1L) * PAGE;
    try (Mapping mapping = Mapping.anonymous(size)) {
      MemorySegment memory = mapping.segment();
      for (int i = 0; i < RegisteredMemory.SEGMENTS; i++) {
        registrations.add(ring.registerMemory(memory.asSlice((long) i * PAGE, PAGE)));
        assertTrue(registrations.getLast() >= 0, Errno.name(-registrations.getLast()));
      }
      MemorySegment last = memory.asSlice(size - PAGE, PAGE);
      int refused = ring.registerMemory(last);
      assertEquals(-Errno.ENOSPC, refused);
      ring.unregisterMemory(refused);
      for (int i = 0; i <= RegisteredMemory.SEGMENTS; i++) {
        assertEquals(PAGE, read(vector(memory, (long) i * PAGE, PAGE), 0));
        assertArrayEquals(content, bytes(memory, (long) i * PAGE, PAGE));
      }
      ring.unregisterMemory(registrations.get(3));
      assertEquals(registrations.get(3), ring.registerMemory(last));
    }
  }

  @Test
  void moreThanATebibyteGoesUnregistered() throws Exception {
    long size = ((long) RegisteredMemory.ENTRIES << RegisteredMemory.ENTRY_SHIFT) + PAGE;
    try (MemFd memFd = MemFd.create("huge", size, MemFd.Pages.NORMAL);
        Mapping mapping = memFd.map();
        LinuxFile pages = LinuxFile.adopt(memFd.fd().duplicate(), Path.of("memfd"))) {
      assertEquals(-Errno.ENOSPC, ring.registerMemory(mapping.segment()));
      assertEquals(0, pages.allocatedBytes());
    }
  }

  @Test
  void whatTheKernelCannotReachIsRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> ring.registerMemory(MemorySegment.ofArray(new byte[PAGE])));
    assertThrows(IllegalArgumentException.class, () -> ring.registerMemory(MemorySegment.NULL));
    // Nothing is mapped there.
    assertEquals(
        -Errno.EFAULT, ring.registerMemory(MemorySegment.ofAddress(PAGE).reinterpret(PAGE)));
  }

  @Test
  void fixedTransfersAllocateNothing() throws Exception {
    Files.write(file.path(), randomBytes(PAGE));
    try (Mapping mapping = Mapping.anonymous(PAGE)) {
      assertTrue(ring.registerMemory(mapping.segment()) >= 0);
      IoVector vector = vector(mapping.segment(), 0, PAGE);
      int[] finished = new int[1];
      CompletionHandler count = (userData, result, more) -> finished[0] += result;
      Allocation.assertNone(
          () -> {
            ring.submission().prepRead(handle, vector, 0, 1);
            ring.submitAndWait(-1);
            ring.reap(count);
          });
    }
  }

  /** In a process that, as most users', may not lock as much as it likes. */
  @Test
  void whatMayNotBeLockedGoesUnregistered() throws Exception {
    byte[] content = randomBytes(1 << 20);
    Files.write(file.path(), content);
    List<String> command = new ArrayList<>();
    if ("root".equals(System.getProperty("user.name"))) {
      command.addAll(List.of("setpriv", "--bounding-set=-ipc_lock"));
    }
    command.addAll(List.of("prlimit", "--memlock=65536:65536"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-cp", "target/classes:target/test-classes"));
    command.addAll(List.of(LimitedMemory.class.getName(), file.path().toString()));
    assertEquals(
        "ENOMEM " + Arrays.hashCode(content), Programs.run(command.toArray(String[]::new)).strip());
  }
}
