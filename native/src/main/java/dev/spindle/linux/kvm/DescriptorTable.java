// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

/**
 * GDTR or IDTR.
 *
 * @param base linear address
 * @param limit the last byte's offset, 0 to 65535
 */
public record DescriptorTable(long base, int limit) {}
