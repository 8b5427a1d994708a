// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

/** Where boot data lies in the guest's first megabyte; all values are guest-physical addresses. */
public final class LowMemory {
  static final long DESCRIPTORS = 0x500;
  static final long START_INFO = 0x6000;
  static final long ZERO_PAGE = 0x7000;
  static final long STACK_TOP = 0x8FF0;
  static final long PAGE_TABLES = 0x9000;
  static final long COMMAND_LINE = 0x2_0000;

  /** Longest command line there is room for, in bytes, its terminating zero included. */
  static final int COMMAND_LINE_SPACE = 0x1_0000;

  /** End of the conventional memory a guest may use, by tradition below 640 KiB. */
  static final long CONVENTIONAL_END = 0x9_FC00;

  /** Start of what a BIOS would occupy. Operating systems search it for the ACPI root pointer. */
  public static final long FIRMWARE = 0xE_0000;

  /** Size of the space at {@link #FIRMWARE}, in bytes. */
  public static final long FIRMWARE_SIZE = 0x2_0000;

  /** Start of extended memory. */
  static final long HIGH = 0x10_0000;

  private LowMemory() {}
}
