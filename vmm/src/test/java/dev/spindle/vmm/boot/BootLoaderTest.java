// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class BootLoaderTest {
  private static final long ROOT_POINTER = 0xE_0000;
  private static final long MEMORY = 64 << 20;

  @TempDir private Path directory;
  private final Arena arena = Arena.ofShared();

  @AfterEach
  void freeMemory() {
    arena.close();
  }

  private Path file(String name, ByteBuffer content) throws IOException {
    return Files.write(directory.resolve(name), content.array());
  }

  private static AddressMap map(BootMemory memory) {
    return AddressMap.of(
        memory, List.of(new AddressMap.Entry(0xE000_0000L, 0x1000_0000L, AddressMap.RESERVED)));
  }

  private EntryState load(BootMemory memory, Path kernel, Optional<Path> initrd, String text)
      throws IOException {
    try (BootLoader loader = BootLoader.open(kernel, initrd, text)) {
      loader.checkFits(memory);
      return loader.load(memory, map(memory), ROOT_POINTER);
    }
  }

  @Test
  void bzImageIsEnteredIn64BitModeWithAZeroPageThatTheKernelsHeadersUnderstand() throws Exception {
    TestMemory memory = TestMemory.of(arena, MEMORY);
    memory.segment().fill((byte) 0x5A);
    Path kernel = file("bzImage", SampleKernels.bzImage());
    Path initrd = Files.write(directory.resolve("initrd"), new byte[5000]);

    EntryState entry = load(memory, kernel, Optional.of(initrd), "console=ttyS0 quiet");

    EntryState.Long64 long64 = (EntryState.Long64) entry;
    assertEquals(SampleKernels.PREFERRED_ADDRESS + 0x200, long64.instructionPointer());
    for (int i = 0; i < SampleKernels.PAYLOAD_LENGTH; i++) {
      byte loaded =
          memory.segment().get(ValueLayout.JAVA_BYTE, SampleKernels.PREFERRED_ADDRESS + (long) i);
      assertEquals(SampleKernels.pattern(i), loaded);
    }
    List<String> seen = decodeZeroPage(memory.slice(long64.bootParams(), 4096));
    long initrdBase = MEMORY - 8192;
    assertEquals(
        List.of(
            "sentinel 0",
            "boot_flag aa55",
            "header 53726448",
            "version 20f",
            "type_of_loader ff",
            "ramdisk_image " + Long.toHexString(initrdBase),
            "ramdisk_size " + Integer.toHexString(5000),
            "cmd_line_ptr 20000",
            "init_size " + Integer.toHexString(SampleKernels.INIT_SIZE),
            "acpi_rsdp_addr e0000",
            "e820 0 9fc00 1",
            "e820 9fc00 400 2",
            "e820 e0000 20000 2",
            "e820 100000 3f00000 1",
            "e820 e0000000 10000000 2"),
        seen);
    assertEquals("console=ttyS0 quiet", memory.segment().getString(0x2_0000));
    assertIdentityMapped(memory, long64.pageTable());
  }

  /** Walks the tables as the processor does (Intel SDM volume 3, 4.5). */
  private static void assertIdentityMapped(TestMemory memory, long root) {
    for (long address : new long[] {0, 0x7000, 0x10_0000, 0x3FFF_FFFF, 0x4000_0000, 0xFFFF_FFFFL}) {
      long upper = entry(memory, root, address >>> 39 & 511);
      long pointer = entry(memory, upper & -4096L, address >>> 30 & 511);
      long directory = entry(memory, pointer & -4096L, address >>> 21 & 511);
      assertEquals(1L << 7, directory & 1 << 7, "a large page");
      assertEquals(address, (directory & -(1L << 21)) | (address & ((1L << 21) - 1)));
    }
  }

  private static long entry(TestMemory memory, long table, long index) {
    long entry = memory.segment().get(ValueLayout.JAVA_LONG, table + index * 8);
    assertEquals(0b11, entry & 0b11, "present and writable");
    return entry;
  }

  /** The oracle: the kernel's own structure, read by a C program. */
  private List<String> decodeZeroPage(MemorySegment page) throws Exception {
    Path dump = directory.resolve("zero-page");
    Files.write(dump, page.toArray(ValueLayout.JAVA_BYTE));
    Path source = directory.resolve("decode.c");
    Files.writeString(
        source,
        """
        #include <stdio.h>
        #include <asm/bootparam.h>
        int main(int argc, char **argv) {
          struct boot_params p;
          FILE *f = fopen(argv[1], "rb");
          if (sizeof p != 4096 || fread(&p, sizeof p, 1, f) != 1) return 1;
          printf("sentinel %x\\nboot_flag %x\\nheader %x\\n", p.sentinel, p.hdr.boot_flag, p.hdr.header);
          printf("version %x\\ntype_of_loader %x\\n", p.hdr.version, p.hdr.type_of_loader);
          printf("ramdisk_image %x\\nramdisk_size %x\\n", p.hdr.ramdisk_image, p.hdr.ramdisk_size);
          printf("cmd_line_ptr %x\\ninit_size %x\\n", p.hdr.cmd_line_ptr, p.hdr.init_size);
          printf("acpi_rsdp_addr %llx\\n", p.acpi_rsdp_addr);
          for (int i = 0; i < p.e820_entries; i++)
            printf("e820 %llx %llx %x\\n", p.e820_table[i].addr, p.e820_table[i].size, p.e820_table[i].type);
          return 0;
        }
        """);
    Path program = directory.resolve("decode");
    run("cc", "-o", program.toString(), source.toString());
    return run(program.toString(), dump.toString()).lines().toList();
  }

  private static String run(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output;
  }

  @Test
  void aKernelThatDoesNotFitAtItsPreferredAddressIsRelocated() throws Exception {
    TestMemory memory = TestMemory.of(arena, 16 << 20);
    Path kernel = file("bzImage", SampleKernels.bzImage());
    EntryState entry = load(memory, kernel, Optional.empty(), "");
    assertEquals((2 << 20) + 0x200, entry.instructionPointer());
  }

  @Test
  void pvhElfIsEnteredIn32BitModeWithStartInfo() throws Exception {
    TestMemory memory = TestMemory.of(arena, MEMORY);
    memory.segment().fill((byte) 0x5A);
    Path kernel = file("vmlinux", SampleKernels.pvhElf());
    Path initrd = Files.write(directory.resolve("initrd"), new byte[5000]);

    EntryState entry = load(memory, kernel, Optional.of(initrd), "panic=-1");

    EntryState.Protected32 start = (EntryState.Protected32) entry;
    assertEquals(SampleKernels.ELF_ENTRY, start.instructionPointer());
    ByteBuffer ram = memory.segment().asByteBuffer().order(java.nio.ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 4096; i++) {
      assertEquals(i < 512 ? SampleKernels.pattern(i) : 0, ram.get(0x20_0000 + i));
    }
    int info = (int) start.startInfo();
    assertEquals(0x336E_C578, ram.getInt(info));
    assertEquals(1, ram.getInt(info + 4));
    assertEquals(1, ram.getInt(info + 12));
    assertEquals("panic=-1", memory.segment().getString(ram.getLong(info + 24)));
    assertEquals(ROOT_POINTER, ram.getLong(info + 32));
    int modules = (int) ram.getLong(info + 16);
    assertEquals(MEMORY - 8192, ram.getLong(modules));
    assertEquals(5000, ram.getLong(modules + 8));
    int entries = (int) ram.getLong(info + 40);
    assertEquals(map(memory).entries().size(), ram.getInt(info + 48));
    for (AddressMap.Entry expected : map(memory).entries()) {
      assertEquals(expected.base(), ram.getLong(entries));
      assertEquals(expected.length(), ram.getLong(entries + 8));
      assertEquals(expected.type(), ram.getInt(entries + 16));
      entries += 24;
    }
  }

  static Stream<Arguments> refusals() {
    return Stream.of(
        refusal("an old protocol", k -> k.putShort(0x206, (short) 0x0203), "without a 64-bit"),
        refusal("no 64-bit entry", k -> k.putShort(0x236, (short) 0), "without a 64-bit entry"),
        refusal("no magic", k -> k.putInt(0x202, 0), "is neither a bzImage"),
        refusal("more setup than file", k -> k.put(0x1F1, (byte) 200), "ends before the code"),
        refusal("a bent alignment", k -> k.putInt(0x230, 3), "not a power of two"),
        refusal("too big", k -> k.putInt(0x260, 0x7FFF_FFFF), "needs memory up to 2050 MiB"),
        refusal("too big, unsigned", k -> k.putInt(0x260, -1), "the machine has 64 MiB"));
  }

  private static Arguments refusal(String name, Consumer<ByteBuffer> damage, String expected) {
    return Arguments.of(name, damage, expected);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refusals")
  void aDamagedBzImageIsRefusedInASentence(
      String name, Consumer<ByteBuffer> damage, String expected) throws IOException {
    ByteBuffer image = SampleKernels.bzImage();
    damage.accept(image);
    assertRefused(file("kernel", image), expected);
  }

  static Stream<Arguments> elfRefusals() {
    return Stream.of(
        refusal("32 bits", k -> k.put(4, (byte) 1), "not one for x86-64"),
        refusal("another machine", k -> k.putShort(18, (short) 183), "not one for x86-64"),
        refusal("no note", k -> k.putInt(120, 1_000), "without a PVH entry"),
        refusal("a note of another type", k -> k.putInt(0x21C, 5), "without a PVH entry"),
        refusal("a note that ends nowhere", k -> k.putInt(0x218, -1), "without a PVH entry"),
        refusal("headers past the end", k -> k.putLong(32, 1 << 20), "ends before the headers"),
        refusal("headers at -1", k -> k.putLong(32, -1), "ends before the headers"),
        refusal("code past the end", k -> k.putLong(64 + 8, 1 << 20), "ends before the code"),
        refusal("a size that wraps", k -> k.putLong(64 + 40, -1), "impossible addresses"),
        refusal("file size over memory size", k -> k.putLong(64 + 32, 8192), "impossible"),
        refusal("below 1 MiB", k -> k.putLong(64 + 24, 0x7000), "below 1 MiB"),
        refusal("above memory", k -> k.putLong(64 + 24, 1 << 30), "the machine has 64 MiB"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("elfRefusals")
  void aDamagedElfFileIsRefusedInASentence(
      String name, Consumer<ByteBuffer> damage, String expected) throws IOException {
    ByteBuffer image = SampleKernels.pvhElf();
    damage.accept(image);
    assertRefused(file("kernel", image), expected);
  }

  private void assertRefused(Path kernel, String expected) {
    TestMemory memory = TestMemory.of(arena, MEMORY);
    BootException refusal =
        assertThrows(BootException.class, () -> load(memory, kernel, Optional.empty(), ""));
    assertTrue(refusal.getMessage().startsWith("kernel '" + kernel + "'"), refusal.getMessage());
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  @Test
  void filesThatCannotBeReadAreNamed() throws IOException {
    Path missing = directory.resolve("nothing");
    assertRefused(missing, "does not exist");
    assertRefused(directory, "is a directory");
    assertRefused(Files.createFile(directory.resolve("empty")), "is empty");
    assertRefused(Files.writeString(directory.resolve("text"), "hello"), "is neither a bzImage");
  }

  @Test
  void anInitrdThatDoesNotFitAndALongCommandLineAreRefused() throws IOException {
    Path kernel = file("bzImage", SampleKernels.bzImage());
    Path initrd = Files.write(directory.resolve("initrd"), new byte[50 << 20]);
    TestMemory memory = TestMemory.of(arena, MEMORY);
    BootException tooBig =
        assertThrows(BootException.class, () -> load(memory, kernel, Optional.of(initrd), ""));
    assertEquals(
        "initrd '" + initrd + "' has 50 MiB, but the kernel leaves only 40 MiB of memory for it",
        tooBig.getMessage());
    BootException tooLong =
        assertThrows(
            BootException.class, () -> load(memory, kernel, Optional.empty(), "x".repeat(2048)));
    assertTrue(tooLong.getMessage().contains("has 2048 bytes"), tooLong.getMessage());
    BootException noInitrd =
        assertThrows(
            BootException.class,
            () -> load(memory, kernel, Optional.of(directory.resolve("none")), ""));
    assertTrue(noInitrd.getMessage().startsWith("initrd '"), noInitrd.getMessage());
  }
}
