// SPDX-License-Identifier: Apache-2.0

/** Interrupts out of devices and notifications into them. */
package dev.spindle.devices.irq;
