// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

/** The registers the first vCPU starts with; every register not named here is zero. */
public sealed interface EntryState {
  /** Address of the first instruction. */
  long instructionPointer();

  /**
   * 64-bit mode with paging on, flat segments, interrupts off (Linux boot protocol, "64-bit").
   *
   * @param instructionPointer address of the first instruction
   * @param bootParams address of the zero page, for RSI
   * @param stackPointer initial RSP
   * @param pageTable address of the top-level page table, for CR3
   * @param descriptors address of the global descriptor table laid out by {@link BootDescriptors}
   */
  record Long64(
      long instructionPointer, long bootParams, long stackPointer, long pageTable, long descriptors)
      implements EntryState {}

  /**
   * 32-bit protected mode without paging, flat segments, interrupts off (Xen's PVH boot ABI).
   *
   * @param instructionPointer address of the first instruction
   * @param startInfo address of the start-info structure, for EBX
   * @param descriptors address of the global descriptor table laid out by {@link BootDescriptors}
   */
  record Protected32(long instructionPointer, long startInfo, long descriptors)
      implements EntryState {}
}
