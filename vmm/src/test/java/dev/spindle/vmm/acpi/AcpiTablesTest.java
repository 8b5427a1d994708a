// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The oracle is Intel's own compiler and disassembler, iasl. */
class AcpiTablesTest {
  private static final long ADDRESS = 0xE_0000;

  @TempDir private Path directory;

  private static AcpiPlatform platform(int cpus) {
    return new AcpiPlatform(
        cpus,
        0,
        new AcpiPlatform.Power(0x600, 0x604, 0x608, 0x610, 9, 0x64, 0xFE, 5),
        new AcpiPlatform.Pci(
            0xE000_0000L,
            256,
            new AcpiPlatform.Window(0xC000_0000L, 0x2000_0000L),
            new AcpiPlatform.Window(0x8_0000_0000L, 0x8_0000_0000L),
            16),
        new AcpiPlatform.PciHotplug(1, 0x620),
        List.of(new AcpiPlatform.IsaDevice(0x3F8, 8, 4), new AcpiPlatform.IsaDevice(0x2F8, 8, 3)),
        new AcpiPlatform.IsaDevice(0x70, 2, 8));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 16})
  void everyChecksumIsZeroAndEveryPointerLeadsToItsTable(int cpus) {
    AcpiTables tables = AcpiTables.build(platform(cpus), ADDRESS);
    ByteBuffer image = ByteBuffer.wrap(tables.image()).order(ByteOrder.LITTLE_ENDIAN);

    assertEquals("RSD PTR ", text(image, 0, 8));
    assertEquals(0, sum(image, 0, 20));
    assertEquals(0, sum(image, 0, 36));
    int xsdt = (int) (image.getLong(24) - ADDRESS);
    assertEquals("XSDT", text(image, xsdt, 4));
    assertEquals(0, sum(image, xsdt, image.getInt(xsdt + 4)));
    int pointers = (image.getInt(xsdt + 4) - 36) / 8;
    assertEquals(3, pointers);
    for (int i = 0; i < pointers; i++) {
      int table = (int) (image.getLong(xsdt + 36 + 8 * i) - ADDRESS);
      assertEquals(List.of("FACP", "APIC", "MCFG").get(i), text(image, table, 4));
      assertEquals(0, sum(image, table, image.getInt(table + 4)));
    }
    int fadt = tables.offsets().get("FACP");
    assertEquals("FACS", text(image, (int) (image.getInt(fadt + 36) - ADDRESS), 4));
    int dsdt = (int) (image.getInt(fadt + 40) - ADDRESS);
    assertEquals(image.getInt(fadt + 40), image.getLong(fadt + 140));
    assertEquals("DSDT", text(image, dsdt, 4));
    assertEquals(0, sum(image, dsdt, image.getInt(dsdt + 4)));
    assertTrue(tables.image().length <= 0x2_0000, "the tables fit in the firmware area");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 16})
  void iaslTakesTheTablesApartAndPutsThemTogetherAgain(int cpus) throws Exception {
    Map<String, Path> files = writeTables(cpus);

    for (String table : List.of("FACS", "DSDT", "FACP", "APIC", "MCFG", "XSDT")) {
      String disassembly = iasl("-d", files.get(table).toString());
      assertFalse(
          disassembly.matches("(?is).*(error|warning|invalid|incorrect).*"),
          table + ": " + disassembly);
      Path source = directory.resolve(table + ".dsl");
      String text = Files.readString(source);
      assertFalse(text.matches("(?is).*(/\\*\\*\\*|invalid|incorrect checksum).*"), text);
      if (!table.equals("XSDT") && !table.equals("FACS")) {
        String compilation = iasl(source.toString());
        assertTrue(compilation.contains("0 Errors, 0 Warnings, 0 Remarks"), compilation);
      }
    }
    String dsdt = Files.readString(directory.resolve("DSDT.dsl"));
    assertTrue(dsdt.contains("EisaId (\"PNP0A08\") /* PCI Express Bus */"), dsdt);
    assertTrue(dsdt.contains("\"ACPI0007\" /* Processor Device */"), dsdt);
    assertTrue(dsdt.contains("PCI Host Bridge Device"), dsdt);
    assertEquals(cpus, dsdt.split("ACPI0007", -1).length - 1);
    assertTrue(dsdt.contains("Name (_PRT, Package (0x20)  // _PRT: PCI Routing Table"), dsdt);
    assertEquals(31, dsdt.split("Method \\(_EJ0, 1, Not", -1).length - 1);
    assertTrue(dsdt.contains("Name (_ADR, 0x001F0000)  // _ADR: Address"), dsdt);
    assertTrue(dsdt.contains("PHEJ = 0x80000000"), dsdt);
    assertTrue(dsdt.contains("OperationRegion (PHPR, SystemIO, 0x0620, 0x0C)"), dsdt);
    assertTrue(dsdt.contains("Method (_E01, 0, NotSerialized)"), dsdt);
    assertTrue(dsdt.contains("Notify (S01F, 0x03) // Eject Request"), dsdt);
    String fadt = Files.readString(directory.resolve("FACP.dsl"));
    assertTrue(fadt.contains("GPE0 Block Address : 00000610"), fadt);
    String madt = Files.readString(directory.resolve("APIC.dsl"));
    assertEquals(cpus, madt.split("\\[Processor Local APIC\\]", -1).length - 1);
  }

  private Map<String, Path> writeTables(int cpus) throws IOException {
    AcpiTables tables = AcpiTables.build(platform(cpus), ADDRESS);
    byte[] image = tables.image();
    Map<String, Path> files = new HashMap<>();
    for (Map.Entry<String, Integer> table : tables.offsets().entrySet()) {
      int offset = table.getValue();
      Path file = directory.resolve(table.getKey() + ".aml");
      Files.write(file, Arrays.copyOfRange(image, offset, offset + tables.lengthAt(offset)));
      files.put(table.getKey(), file);
    }
    return files;
  }

  private String iasl(String... arguments) throws Exception {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/iasl")), "iasl (acpica-tools) is here");
    ProcessBuilder builder = new ProcessBuilder("/usr/bin/iasl");
    builder.command().addAll(List.of(arguments));
    Process process = builder.directory(directory.toFile()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output;
  }

  @Test
  void packageLengthsOfEverySizeAreWhatIaslReads() throws Exception {
    // One to three length bytes: the borders are at 63, 4095 and 1048575.
    for (int size : new int[] {2, 40, 55, 56, 57, 58, 59, 60, 4080, 4088, 4089, 4090, 4091, 5000}) {
      ByteWriter table = new ByteWriter();
      table.ascii("DSDT", 4, ' ').u32(0).u8(2).u8(0);
      table.ascii("SPINDL", 6, ' ').ascii("TEST", 8, ' ').u32(1).ascii("SPDL", 4, ' ').u32(1);
      Aml.name("DATA", Aml.buffer(new byte[size])).writeTo(table);
      Aml.name("LAST", Aml.integer(0x1234_5678_9ABCL)).writeTo(table);
      table.setU32(4, table.length());
      table.setU8(9, table.checksum(0, table.length()));
      Path file = directory.resolve("SIZE.aml");
      Files.write(file, table.toByteArray());
      iasl("-d", file.toString());
      String source = Files.readString(directory.resolve("SIZE.dsl"));
      assertTrue(source.contains(String.format("Buffer (0x%0" + width(size) + "X)", size)), source);
      assertTrue(source.contains("Name (LAST, 0x0000123456789ABC)"), source);
    }
  }

  private static int width(int size) {
    return size < 0x100 ? 2 : 4;
  }

  private static int sum(ByteBuffer image, int offset, int length) {
    int sum = 0;
    for (int i = 0; i < length; i++) {
      sum += image.get(offset + i);
    }
    return sum & 0xFF;
  }

  private static String text(ByteBuffer image, int offset, int length) {
    byte[] bytes = new byte[length];
    image.get(offset, bytes);
    return new String(bytes, StandardCharsets.US_ASCII);
  }
}
