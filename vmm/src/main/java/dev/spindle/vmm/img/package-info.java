// SPDX-License-Identifier: Apache-2.0

/** {@code spindle img}: makes, describes, copies and changes disk images, as qemu-img does. */
package dev.spindle.vmm.img;
