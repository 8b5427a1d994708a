// SPDX-License-Identifier: Apache-2.0

/** Port and memory-mapped I/O: which device answers at which address. */
package dev.spindle.devices.bus;
