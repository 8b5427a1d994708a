// SPDX-License-Identifier: Apache-2.0

/** Guest memory. */
package dev.spindle.devices.memory;
