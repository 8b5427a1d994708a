// SPDX-License-Identifier: Apache-2.0

/** {@code spindle io}: reads and writes images by hand, as qemu-io does. */
package dev.spindle.vmm.io;
