// SPDX-License-Identifier: Apache-2.0

/** The small fixed devices of a PC: clock, reset, power. */
package dev.spindle.devices.platform;
