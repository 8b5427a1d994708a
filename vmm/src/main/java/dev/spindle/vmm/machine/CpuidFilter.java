// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.linux.kvm.CpuidEntry;
import java.util.ArrayList;
import java.util.List;

/**
 * Turns what KVM can show a guest into what each vCPU of one machine shows (Intel SDM volume 2,
 * CPUID; AMD APM volume 3, appendix E).
 *
 * <p>The guest sees one package whose cores have one thread each; APIC ids are vCPU numbers. It
 * does not see what the machine has not got: performance counters, nested virtualisation. It sees
 * the hypervisor bit and KVM's own leaves, and so the paravirtual clock.
 */
final class CpuidFilter {
  private static final int LEAF_BASIC = 0x1;
  private static final int LEAF_CACHES = 0x4;
  private static final int LEAF_COUNTERS = 0xA;
  private static final int LEAF_TOPOLOGY = 0xB;
  private static final int LEAF_TOPOLOGY_2 = 0x1F;
  private static final int LEAF_EXTENDED = 0x8000_0001;
  private static final int LEAF_ADDRESSES = 0x8000_0008;
  private static final int LEAF_SVM = 0x8000_000A;
  private static final int LEAF_AMD_CACHES = 0x8000_001D;
  private static final int LEAF_AMD_TOPOLOGY = 0x8000_001E;
  private static final int LEAF_AMD_COUNTERS = 0x8000_0022;

  private static final int ECX_VMX = 1 << 5;
  private static final int ECX_PDCM = 1 << 15;
  private static final int ECX_X2APIC = 1 << 21;
  private static final int ECX_TSC_DEADLINE = 1 << 24;
  private static final int ECX_HYPERVISOR = 1 << 31;
  private static final int EDX_HTT = 1 << 28;
  private static final int EXTENDED_ECX_CMP_LEGACY = 1 << 1;
  private static final int EXTENDED_ECX_SVM = 1 << 2;
  private static final int EXTENDED_ECX_COUNTERS = 1 << 23 | 1 << 24 | 1 << 28;

  private static final int TOPOLOGY_THREADS = 1;
  private static final int TOPOLOGY_CORES = 2;
  private static final int SIGNIFICANT_INDEX = 1;

  private final List<CpuidEntry> supported;
  private final int cpus;
  private final boolean tscDeadlineTimer;
  private final int apicIdBits;

  /**
   * @param supported what KVM supports on this host
   * @param cpus number of vCPUs of the machine
   * @param tscDeadlineTimer whether KVM's local APIC has the TSC-deadline timer, which KVM reports
   *     apart from the rest
   */
  CpuidFilter(List<CpuidEntry> supported, int cpus, boolean tscDeadlineTimer) {
    this.supported = List.copyOf(supported);
    this.cpus = cpus;
    this.tscDeadlineTimer = tscDeadlineTimer;
    this.apicIdBits = Integer.SIZE - Integer.numberOfLeadingZeros(cpus - 1);
  }

  /** Returns what vCPU {@code apicId} shows. */
  List<CpuidEntry> forVcpu(int apicId) {
    List<CpuidEntry> entries = new ArrayList<>(supported.size() + 4);
    boolean topologyDone = false;
    for (CpuidEntry entry : supported) {
      switch (entry.function()) {
        case LEAF_TOPOLOGY, LEAF_TOPOLOGY_2 -> {
          // KVM lists as many levels as the host has; the guest has these two.
          if (entry.index() == 0) {
            addTopology(entries, entry.function(), apicId);
            topologyDone |= entry.function() == LEAF_TOPOLOGY;
          }
        }
        case LEAF_SVM, LEAF_COUNTERS, LEAF_AMD_COUNTERS -> entries.add(entry.with(0, 0, 0, 0));
        default -> entries.add(filter(entry, apicId));
      }
    }
    if (!topologyDone && highestBasicLeaf() >= LEAF_TOPOLOGY) {
      addTopology(entries, LEAF_TOPOLOGY, apicId);
    }
    return List.copyOf(entries);
  }

  private CpuidEntry filter(CpuidEntry entry, int apicId) {
    return switch (entry.function()) {
      case LEAF_BASIC -> basic(entry, apicId);
      case LEAF_CACHES -> intelCache(entry);
      case LEAF_EXTENDED ->
          entry.with(
              entry.eax(),
              entry.ebx(),
              withBit(
                  entry.ecx() & ~(EXTENDED_ECX_SVM | EXTENDED_ECX_COUNTERS),
                  EXTENDED_ECX_CMP_LEGACY,
                  cpus > 1),
              entry.edx());
      case LEAF_ADDRESSES ->
          entry.with(
              entry.eax(),
              entry.ebx(),
              (entry.ecx() & 0xFFFF_0000) | apicIdBits << 12 | (cpus - 1),
              entry.edx());
      case LEAF_AMD_CACHES -> amdCache(entry);
      case LEAF_AMD_TOPOLOGY -> entry.with(apicId, apicId, 0, 0);
      default -> entry;
    };
  }

  private CpuidEntry basic(CpuidEntry entry, int apicId) {
    int ebx = (entry.ebx() & 0xFF00) | apicId << 24 | (1 << apicIdBits) << 16;
    int ecx = (entry.ecx() & ~(ECX_VMX | ECX_PDCM)) | ECX_HYPERVISOR | ECX_X2APIC;
    return entry.with(
        entry.eax(),
        ebx,
        withBit(ecx, ECX_TSC_DEADLINE, tscDeadlineTimer),
        withBit(entry.edx(), EDX_HTT, cpus > 1));
  }

  /** Levels 1 and 2 belong to a core alone, level 3 to the package. */
  private CpuidEntry intelCache(CpuidEntry entry) {
    if ((entry.eax() & 0x1F) == 0) {
      return entry;
    }
    int sharers = level(entry) >= 3 ? cpus - 1 : 0;
    int eax = (entry.eax() & 0x3FFF) | sharers << 14 | ((1 << apicIdBits) - 1) << 26;
    return entry.with(eax, entry.ebx(), entry.ecx(), entry.edx());
  }

  private CpuidEntry amdCache(CpuidEntry entry) {
    if ((entry.eax() & 0x1F) == 0) {
      return entry;
    }
    int sharers = level(entry) >= 3 ? cpus - 1 : 0;
    int eax = (entry.eax() & 0x3FFF) | sharers << 14;
    return entry.with(eax, entry.ebx(), entry.ecx(), entry.edx());
  }

  private static int level(CpuidEntry cache) {
    return cache.eax() >> 5 & 7;
  }

  private void addTopology(List<CpuidEntry> entries, int leaf, int apicId) {
    entries.add(new CpuidEntry(leaf, 0, SIGNIFICANT_INDEX, 0, 1, TOPOLOGY_THREADS << 8, apicId));
    entries.add(
        new CpuidEntry(
            leaf, 1, SIGNIFICANT_INDEX, apicIdBits, cpus, TOPOLOGY_CORES << 8 | 1, apicId));
    entries.add(new CpuidEntry(leaf, 2, SIGNIFICANT_INDEX, 0, 0, 2, apicId));
  }

  private int highestBasicLeaf() {
    return supported.stream()
        .filter(entry -> entry.function() == 0)
        .mapToInt(CpuidEntry::eax)
        .findFirst()
        .orElse(0);
  }

  private static int withBit(int value, int bit, boolean set) {
    return set ? value | bit : value & ~bit;
  }
}
