// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.kvm.CpuidEntry;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CpuidFilterTest {
  private static final int HAS_INDEX = 1;

  private static final List<CpuidEntry> SUPPORTED =
      List.of(
          new CpuidEntry(0, 0, 0, 0x1F, 0, 0, 0),
          new CpuidEntry(1, 0, 0, 0x806EC, 0x0610_0800, 0xFFFF_FFFF, 0x0FFF_FFFF),
          new CpuidEntry(4, 0, HAS_INDEX, 0x1C00_4121, 1, 2, 3),
          new CpuidEntry(4, 3, HAS_INDEX, 0x1C03_C163, 4, 5, 6),
          new CpuidEntry(4, 4, HAS_INDEX, 0, 0, 0, 0),
          new CpuidEntry(7, 0, HAS_INDEX, 0, 0x1234, 0x5678, 0x9ABC),
          new CpuidEntry(0xA, 0, 0, 0x0730_0404, 0, 0, 0x603),
          new CpuidEntry(0xB, 0, HAS_INDEX, 1, 2, 0x100, 6),
          new CpuidEntry(0xB, 1, HAS_INDEX, 4, 8, 0x201, 6),
          new CpuidEntry(0x1F, 0, HAS_INDEX, 1, 2, 0x100, 6),
          new CpuidEntry(0x4000_0000, 0, 0, 0x4000_0001, 0x4B4D564B, 0x564B4D56, 0x4D),
          new CpuidEntry(0x8000_0001, 0, 0, 0, 0, 0xFFFF_FFFF, 0x2C10_0800),
          new CpuidEntry(0x8000_0008, 0, 0, 0x3028, 0xF00, 0x0001_7007, 0),
          new CpuidEntry(0x8000_000A, 0, 0, 1, 8, 0, 0x1),
          new CpuidEntry(0x8000_001D, 3, HAS_INDEX, 0x0001_C163, 1, 2, 3),
          new CpuidEntry(0x8000_001E, 0, 0, 7, 0x103, 0x100, 0));

  private static CpuidEntry leaf(int cpus, int apicId, int function, int index) {
    List<CpuidEntry> shown = new CpuidFilter(SUPPORTED, cpus, true).forVcpu(apicId);
    Optional<CpuidEntry> found =
        shown.stream()
            .filter(entry -> entry.function() == function && entry.index() == index)
            .findFirst();
    return found.orElseThrow();
  }

  /** Shift widths and counts as the SDM's algorithm for leaf 0xB wants them. */
  @ParameterizedTest
  @CsvSource({"1, 0, 0", "2, 1, 1", "3, 2, 2", "4, 3, 2", "16, 9, 4"})
  void everyVcpuIsACoreOfOneThreadInOnePackage(int cpus, int apicId, int bits) {
    for (int function : new int[] {0xB, 0x1F}) {
      assertRegisters(leaf(cpus, apicId, function, 0), 0, 1, 0x100, apicId);
      assertRegisters(leaf(cpus, apicId, function, 1), bits, cpus, 0x201, apicId);
      assertRegisters(leaf(cpus, apicId, function, 2), 0, 0, 2, apicId);
    }
    int ebx = leaf(cpus, apicId, 1, 0).ebx();
    assertEquals(apicId, ebx >>> 24);
    assertEquals(1 << bits, ebx >>> 16 & 0xFF);
    assertEquals(0x08, ebx >>> 8 & 0xFF);
    assertEquals(cpus > 1, (leaf(cpus, apicId, 1, 0).edx() & 1 << 28) != 0);
    assertEquals(cpus - 1, leaf(cpus, apicId, 0x8000_0008, 0).ecx() & 0xFF);
    assertEquals(bits, leaf(cpus, apicId, 0x8000_0008, 0).ecx() >> 12 & 0xF);
    assertEquals(apicId, leaf(cpus, apicId, 0x8000_001E, 0).eax());
  }

  @Test
  void cachesBelowTheLastAreNotShared() {
    assertEquals(0, leaf(4, 0, 4, 0).eax() >>> 14 & 0xFFF);
    assertEquals(3, leaf(4, 0, 4, 3).eax() >>> 14 & 0xFFF);
    assertEquals(3, leaf(4, 0, 4, 3).eax() >>> 26);
    assertEquals(3, leaf(4, 0, 0x8000_001D, 3).eax() >>> 14 & 0xFFF);
    assertEquals(0, leaf(4, 0, 4, 4).eax());
  }

  @Test
  void whatTheMachineHasNotGotIsHiddenAndTheHypervisorIsNot() {
    int ecx = leaf(2, 0, 1, 0).ecx();
    assertEquals(0, ecx & (1 << 5 | 1 << 15), "no VMX, no PDCM");
    assertEquals(1 << 31 | 1 << 24 | 1 << 21, ecx & (1 << 31 | 1 << 24 | 1 << 21));
    assertEquals(0, leaf(2, 0, 0x8000_0001, 0).ecx() & 1 << 2, "no SVM");
    assertRegisters(leaf(2, 0, 0xA, 0), 0, 0, 0, 0);
    assertRegisters(leaf(2, 0, 0x8000_000A, 0), 0, 0, 0, 0);
    assertEquals(0x4B4D564B, leaf(2, 0, 0x4000_0000, 0).ebx());
    assertRegisters(leaf(2, 0, 7, 0), 0, 0x1234, 0x5678, 0x9ABC);
    List<CpuidEntry> without = new CpuidFilter(SUPPORTED, 1, false).forVcpu(0);
    assertTrue(
        without.stream()
            .filter(entry -> entry.function() == 1)
            .allMatch(entry -> (entry.ecx() & 1 << 24) == 0));
  }

  private static void assertRegisters(CpuidEntry entry, int eax, int ebx, int ecx, int edx) {
    assertEquals(
        List.of(eax, ebx, ecx, edx),
        List.of(entry.eax(), entry.ebx(), entry.ecx(), entry.edx()),
        entry.toString());
  }
}
