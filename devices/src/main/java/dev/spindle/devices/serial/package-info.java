// SPDX-License-Identifier: Apache-2.0

/** 16550 serial ports and what they are connected to. */
package dev.spindle.devices.serial;
