// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.bus;

/**
 * The addresses {@code base} to {@code base + length - 1}.
 *
 * @param base first address, 0 or more
 * @param length number of addresses in bytes, 1 or more; the last address fits in a {@code long}
 */
public record AddressRange(long base, long length) {
  public AddressRange {
    if (base < 0 || length < 1 || base > Long.MAX_VALUE - (length - 1)) {
      throw new IllegalArgumentException(
          "no address range: base 0x%x, length 0x%x".formatted(base, length));
    }
  }

  /** A range from its first and its last address, both inside. */
  public static AddressRange of(long first, long last) {
    return new AddressRange(first, last - first + 1);
  }

  /** The last address inside. */
  public long last() {
    return base + (length - 1);
  }

  public boolean contains(long address) {
    return address >= base && address <= last();
  }

  public boolean contains(AddressRange other) {
    return other.base >= base && other.last() <= last();
  }

  public boolean overlaps(AddressRange other) {
    return other.base <= last() && base <= other.last();
  }

  @Override
  public String toString() {
    return "0x%x-0x%x".formatted(base, last());
  }
}
