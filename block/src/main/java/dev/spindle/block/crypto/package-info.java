// SPDX-License-Identifier: Apache-2.0

/**
 * Disks that are enciphered sector by sector: LUKS version 1, as its on-disk format specification
 * has it, on the ciphers and digests of the JDK.
 */
package dev.spindle.block.crypto;
