// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

/**
 * The ways of one context to all that an image consists of.
 *
 * @param file with the metadata
 * @param data with the guest's clusters, deciphered: the same, unless the image is encrypted or has
 *     an external data file
 * @param backing null if there is none
 * @param external whether the guest's clusters are in another file than the metadata
 */
record Qcow2Io(Storage file, Storage data, Backing backing, boolean external) {
  /** Of an image that is not encrypted. */
  Qcow2Io(Storage file, Storage data, Backing backing) {
    this(file, data, backing, data != file);
  }

  /** Whether what the image does not hold from an offset on reads as zeroes. */
  boolean nothingBelow(long offset) {
    return backing == null || offset >= backing.length();
  }
}
