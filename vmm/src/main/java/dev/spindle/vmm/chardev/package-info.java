// SPDX-License-Identifier: Apache-2.0

/** What a guest's serial ports are connected to on the host. */
package dev.spindle.vmm.chardev;
