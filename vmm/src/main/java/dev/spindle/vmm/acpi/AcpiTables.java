// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The ACPI tables of one machine, laid out for one place in guest memory (ACPI 6.5, section 5.2).
 *
 * <p>The root pointer comes first, so that its address is the address of the whole block. The
 * machine has the fixed hardware of section 4.8 (power-management timer, power button, sleep
 * control) rather than the hardware-reduced model: Linux then powers off, resets and reports the
 * power button without any byte code running.
 */
public final class AcpiTables {
  private static final int RSDP_LENGTH = 36;
  private static final int FACS_LENGTH = 64;
  private static final int LOCAL_APIC_ADDRESS = 0xFEE0_0000;
  private static final int IO_APIC_ADDRESS = 0xFEC0_0000;
  private static final int ACTIVE_HIGH_LEVEL = 0b1101;
  private static final int PIT_GSI = 2;

  private static final int FADT_WBINVD = 1;
  private static final int FADT_PROC_C1 = 1 << 2;
  private static final int FADT_NO_FIXED_SLEEP_BUTTON = 1 << 5;
  private static final int FADT_RTC_WAKE_NOT_FIXED = 1 << 6;
  private static final int FADT_TIMER_32_BITS = 1 << 8;
  private static final int FADT_RESET_REGISTER = 1 << 10;
  private static final int BOOT_LEGACY_DEVICES = 1;
  private static final int BOOT_NO_VGA = 1 << 2;

  private final long address;
  private final ByteWriter image = new ByteWriter();
  private final Map<String, Integer> offsets = new LinkedHashMap<>();

  private AcpiTables(long address) {
    this.address = address;
  }

  /**
   * Builds the tables.
   *
   * @param platform what to describe
   * @param address the guest-physical address they will be written to; a multiple of 64, below 4
   *     GiB
   */
  public static AcpiTables build(AcpiPlatform platform, long address) {
    if (address % 64 != 0 || address < 0 || address > 0xFFF0_0000L) {
      throw new IllegalArgumentException("ACPI tables cannot be at 0x" + Long.toHexString(address));
    }
    AcpiTables tables = new AcpiTables(address);
    tables.write(platform);
    return tables;
  }

  /** Returns the bytes to place at the address given to {@link #build}. */
  public byte[] image() {
    return image.toByteArray();
  }

  /** Returns the guest-physical address of the root pointer (RSDP). */
  public long rootPointer() {
    return address;
  }

  /** Returns each table's signature with its offset in {@link #image()}, in memory order. */
  public Map<String, Integer> offsets() {
    return Map.copyOf(offsets);
  }

  private void write(AcpiPlatform platform) {
    image.zeros(64); // The root pointer, written last, padded so that the FACS is aligned.
    offsets.put("FACS", image.length());
    image.ascii("FACS", 4, ' ').u32(FACS_LENGTH).zeros(24).u8(2).zeros(FACS_LENGTH - 33);

    begin("DSDT", 2);
    image.bytes(Dsdt.definitionBlock(platform));
    end("DSDT");
    begin("FACP", 6);
    fadt(platform.power());
    end("FACP");
    begin("APIC", 4);
    madt(platform);
    end("APIC");
    begin("MCFG", 1);
    AcpiPlatform.Pci pci = platform.pci();
    image.zeros(8).u64(pci.ecamBase()).u16(0).u8(0).u8(pci.buses() - 1).u32(0);
    end("MCFG");
    begin("XSDT", 1);
    image.u64(addressOf("FACP")).u64(addressOf("APIC")).u64(addressOf("MCFG"));
    end("XSDT");
    rootPointer(addressOf("XSDT"));
  }

  private void fadt(AcpiPlatform.Power power) {
    image.u32((int) addressOf("FACS")).u32((int) addressOf("DSDT"));
    image.u8(0).u8(4); // Reserved; preferred profile: enterprise server.
    image.u16(power.sciIrq());
    image.u32(0).u8(0).u8(0).u8(0).u8(0); // No SMI command port: ACPI mode is always on.
    image.u32(power.eventBlock()).u32(0).u32(power.controlBlock()).u32(0).u32(0);
    image.u32(power.timer()).u32(power.generalEvents()).u32(0);
    image.u8(4).u8(2).u8(0).u8(4).u8(4).u8(0).u8(0).u8(0);
    image.u16(0x65).u16(0x3E9); // Latencies that say: no C2, no C3.
    image.zeros(6).u8(0).u8(0).u8(0x32); // No alarm bytes; the century is CMOS byte 0x32.
    image.u16(BOOT_LEGACY_DEVICES | BOOT_NO_VGA).u8(0);
    image.u32(
        FADT_WBINVD
            | FADT_PROC_C1
            | FADT_NO_FIXED_SLEEP_BUTTON
            | FADT_RTC_WAKE_NOT_FIXED
            | FADT_TIMER_32_BITS
            | FADT_RESET_REGISTER);
    port(power.resetPort(), 8).u8(power.resetValue()).u16(0).u8(0);
    image.u64(0).u64(addressOf("DSDT"));
    port(power.eventBlock(), 32).zeros(12);
    port(power.controlBlock(), 16).zeros(12).zeros(12);
    port(power.timer(), 32);
    port(power.generalEvents(), 32).zeros(12);
    image.zeros(24); // Sleep registers exist on hardware-reduced machines only.
    image.ascii("SPINDLE", 8, '\0');
  }

  private void madt(AcpiPlatform platform) {
    image.u32(LOCAL_APIC_ADDRESS).u32(1); // There are 8259s as well.
    for (int cpu = 0; cpu < platform.cpus(); cpu++) {
      image.u8(0).u8(8).u8(cpu).u8(cpu).u32(1);
    }
    image.u8(1).u8(12).u8(platform.ioApicId()).u8(0).u32(IO_APIC_ADDRESS).u32(0);
    interruptOverride(0, PIT_GSI, 0);
    interruptOverride(platform.power().sciIrq(), platform.power().sciIrq(), ACTIVE_HIGH_LEVEL);
    image.u8(4).u8(6).u8(0xFF).u16(0).u8(1); // NMI on LINT1 of every CPU.
  }

  private void interruptOverride(int isaIrq, int gsi, int flags) {
    image.u8(2).u8(10).u8(0).u8(isaIrq).u32(gsi).u16(flags);
  }

  /** A generic address structure for a port register of {@code bits} bits. */
  private ByteWriter port(int port, int bits) {
    int accessSize = bits == 8 ? 1 : bits == 16 ? 2 : 3;
    return image.u8(1).u8(bits).u8(0).u8(accessSize).u64(port);
  }

  private void begin(String signature, int revision) {
    image.zeros(-image.length() & 0xF);
    offsets.put(signature, image.length());
    image.ascii(signature, 4, ' ').u32(0).u8(revision).u8(0);
    image.ascii("SPINDL", 6, ' ').ascii("SPINDLVM", 8, ' ').u32(1);
    image.ascii("SPDL", 4, ' ').u32(1);
  }

  private void end(String signature) {
    int start = offsets.get(signature);
    int length = image.length() - start;
    image.setU32(start + 4, length);
    image.setU8(start + 9, image.checksum(start, length));
  }

  private long addressOf(String signature) {
    return address + offsets.get(signature);
  }

  private void rootPointer(long xsdt) {
    ByteWriter root = new ByteWriter();
    root.ascii("RSD PTR ", 8, ' ').u8(0).ascii("SPINDL", 6, ' ').u8(2).u32(0);
    root.u32(RSDP_LENGTH).u64(xsdt).u8(0).zeros(3);
    root.setU8(8, root.checksum(0, 20));
    root.setU8(32, root.checksum(0, RSDP_LENGTH));
    byte[] bytes = root.toByteArray();
    for (int i = 0; i < bytes.length; i++) {
      image.setU8(i, bytes[i]);
    }
  }

  /** Returns the length of the table at {@code offset} in {@link #image()}, in bytes. */
  public int lengthAt(int offset) {
    byte[] bytes = image.toByteArray();
    return (bytes[offset + 4] & 0xFF)
        | (bytes[offset + 5] & 0xFF) << 8
        | (bytes[offset + 6] & 0xFF) << 16
        | (bytes[offset + 7] & 0xFF) << 24;
  }
}
