// SPDX-License-Identifier: Apache-2.0

/** Objects that users make and others refer to by id: secrets, credentials. */
package dev.spindle.block.object;
