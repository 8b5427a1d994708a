// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.bus;

import java.util.Arrays;
import java.util.Objects;

/**
 * An address space, of I/O ports or of memory outside RAM, and the devices in it.
 *
 * <p>vCPU threads read and write without a lock: they search an immutable sorted table. Devices may
 * come and go on any thread while vCPUs run; an access that found a device just before it was
 * removed may still reach it afterwards.
 *
 * <p>What no device claims reads as all ones and swallows writes. An access that is not wholly
 * inside one device, or whose size is not a power of two (KVM cuts accesses at page ends), is
 * carried out in smaller parts, lowest address first.
 */
public final class Bus {
  private record Table(long[] bases, AddressRange[] ranges, BusDevice[] devices) {
    /** The device that claims the address, as an index, or a negative number. */
    int find(long address) {
      int index = Arrays.binarySearch(bases, address);
      if (index < 0) {
        index = -index - 2;
      }
      return index >= 0 && address <= ranges[index].last() ? index : -1;
    }
  }

  private final String name;

  /** Replaced, never changed: written with this object's lock, read by any thread. */
  private volatile Table table =
      new Table(new long[0], new AddressRange[0], new BusDevice[0]); // written with the bus's lock

  /**
   * @param name what messages call it, such as {@code port} or {@code memory}
   */
  public Bus(String name) {
    this.name = Objects.requireNonNull(name);
  }

  /** A value of {@code size} bytes, 1 to 8, all of whose bits are ones. */
  public static long allOnes(int size) {
    return -1L >>> (64 - 8 * size);
  }

  /**
   * Reads {@code size} bytes, 1 to 8, at any address. Any thread.
   *
   * @return the value, zero-extended
   */
  public long read(long address, int size) {
    Table now = table;
    int index = now.find(address);
    if (isWhole(now, index, address, size)) {
      return now.devices[index].read(address - now.bases[index], size) & allOnes(size);
    }
    if (size <= 1) {
      return 0xFF;
    }
    int low = Integer.highestOneBit(size - 1);
    return read(address, low) | (read(address + low, size - low) << (8 * low));
  }

  /** Writes the low {@code size} bytes, 1 to 8, of {@code value} at any address. Any thread. */
  public void write(long address, int size, long value) {
    Table now = table;
    int index = now.find(address);
    if (isWhole(now, index, address, size)) {
      now.devices[index].write(address - now.bases[index], size, value);
    } else if (size > 1) {
      int low = Integer.highestOneBit(size - 1);
      write(address, low, value);
      write(address + low, size - low, value >>> (8 * low));
    }
  }

  private static boolean isWhole(Table now, int index, long address, int size) {
    return index >= 0
        && Integer.bitCount(size) == 1
        && size - 1 <= now.ranges[index].last() - address;
  }

  /**
   * Gives the range to the device. Any thread.
   *
   * @throws IllegalArgumentException if another device has part of the range; nothing has changed
   */
  public synchronized void add(AddressRange range, BusDevice device) {
    AddressRange other = overlapping(range);
    if (other != null) {
      throw new IllegalArgumentException(
          "%s range %s overlaps %s, which is taken".formatted(name, range, other));
    }
    insert(range, device);
  }

  /**
   * Gives the range to the device if all of it is free. Any thread.
   *
   * @return whether it was free
   */
  public synchronized boolean tryAdd(AddressRange range, BusDevice device) {
    if (overlapping(range) != null) {
      return false;
    }
    insert(range, device);
    return true;
  }

  /**
   * Takes a range back. Any thread.
   *
   * @throws IllegalArgumentException if no device was given exactly this range
   */
  public synchronized void remove(AddressRange range) {
    Table old = table;
    int index = old.find(range.base());
    if (index < 0 || !old.ranges[index].equals(range)) {
      throw new IllegalArgumentException("no device has the %s range %s".formatted(name, range));
    }
    int count = old.bases.length;
    Table smaller =
        new Table(new long[count - 1], new AddressRange[count - 1], new BusDevice[count - 1]);
    copy(old, 0, smaller, 0, index);
    copy(old, index + 1, smaller, index, count - index - 1);
    table = smaller;
  }

  private AddressRange overlapping(AddressRange range) {
    for (AddressRange other : table.ranges) {
      if (other.overlaps(range)) {
        return other;
      }
    }
    return null;
  }

  private void insert(AddressRange range, BusDevice device) {
    Objects.requireNonNull(device);
    Table old = table;
    int count = old.bases.length;
    int index = -Arrays.binarySearch(old.bases, range.base()) - 1;
    Table larger =
        new Table(new long[count + 1], new AddressRange[count + 1], new BusDevice[count + 1]);
    copy(old, 0, larger, 0, index);
    copy(old, index, larger, index + 1, count - index);
    larger.bases[index] = range.base();
    larger.ranges[index] = range;
    larger.devices[index] = device;
    table = larger;
  }

  private static void copy(Table from, int fromIndex, Table to, int toIndex, int count) {
    System.arraycopy(from.bases, fromIndex, to.bases, toIndex, count);
    System.arraycopy(from.ranges, fromIndex, to.ranges, toIndex, count);
    System.arraycopy(from.devices, fromIndex, to.devices, toIndex, count);
  }
}
