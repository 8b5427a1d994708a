// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

/**
 * One resource descriptor of a {@code _CRS} (ACPI 6.5, section 6.4). Ranges are given by their
 * first address and length in bytes (or ports, or buses).
 */
public sealed interface AmlResource {
  /** Appends the descriptor to {@code out}. */
  void writeTo(ByteWriter out);

  /** {@code IO (Decode16, first, first, 1, length)}: ports a device answers at. */
  record Ports(int first, int length) implements AmlResource {
    @Override
    public void writeTo(ByteWriter out) {
      out.u8(0x47).u8(1).u16(first).u16(first).u8(1).u8(length);
    }
  }

  /** {@code IRQNoFlags () {irq}}: an edge-triggered, active-high ISA interrupt. */
  record IsaIrq(int irq) implements AmlResource {
    @Override
    public void writeTo(ByteWriter out) {
      out.u8(0x22).u16(1 << irq);
    }
  }

  /** {@code Memory32Fixed (ReadWrite, base, length)}. */
  record FixedMemory(long base, long length) implements AmlResource {
    @Override
    public void writeTo(ByteWriter out) {
      out.u8(0x86).u16(9).u8(1).u32((int) base).u32((int) length);
    }
  }

  /** {@code WordBusNumber}: the buses a host bridge forwards to. */
  record BusWindow(int first, int count) implements AmlResource {
    @Override
    public void writeTo(ByteWriter out) {
      out.u8(0x88).u16(13).u8(2).u8(FIXED_PRODUCER).u8(0);
      out.u16(0).u16(first).u16(first + count - 1).u16(0).u16(count);
    }
  }

  /** {@code WordIO}: the ports a host bridge forwards, ISA and non-ISA ranges alike. */
  record PortWindow(int first, int count) implements AmlResource {
    @Override
    public void writeTo(ByteWriter out) {
      out.u8(0x88).u16(13).u8(1).u8(FIXED_PRODUCER).u8(3);
      out.u16(0).u16(first).u16(first + count - 1).u16(0).u16(count);
    }
  }

  /** {@code DWordMemory}: non-cacheable memory addresses below 4 GiB a host bridge forwards. */
  record MemoryWindow32(long base, long length) implements AmlResource {
    @Override
    public void writeTo(ByteWriter out) {
      out.u8(0x87).u16(23).u8(0).u8(FIXED_PRODUCER).u8(1);
      out.u32(0).u32((int) base).u32((int) (base + length - 1)).u32(0).u32((int) length);
    }
  }

  /** {@code QWordMemory}: non-cacheable memory addresses above 4 GiB a host bridge forwards. */
  record MemoryWindow64(long base, long length) implements AmlResource {
    @Override
    public void writeTo(ByteWriter out) {
      out.u8(0x8A).u16(43).u8(0).u8(FIXED_PRODUCER).u8(1);
      out.u64(0).u64(base).u64(base + length - 1).u64(0).u64(length);
    }
  }

  /** General flags of an address space: producer, positive decode, minimum and maximum fixed. */
  int FIXED_PRODUCER = 0x0C;
}
