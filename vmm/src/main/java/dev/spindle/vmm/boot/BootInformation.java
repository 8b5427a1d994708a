// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

/**
 * What every kernel is told, in whatever form its protocol has.
 *
 * @param map the guest's physical addresses
 * @param commandLineLength length of the command line at {@link LowMemory#COMMAND_LINE}, in bytes
 *     without the terminating zero
 * @param initrdBase guest-physical address of the initrd, or 0 if there is none
 * @param initrdLength length of the initrd in bytes, or 0 if there is none
 * @param rootPointer guest-physical address of the ACPI root pointer
 */
record BootInformation(
    AddressMap map, int commandLineLength, long initrdBase, long initrdLength, long rootPointer) {}
