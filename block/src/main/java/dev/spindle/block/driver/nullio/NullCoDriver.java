// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nullio;

/** {@code driver=null-co}: completes within the submission. */
public final class NullCoDriver extends NullDriver {
  @Override
  public String name() {
    return "null-co";
  }

  @Override
  boolean completesLater() {
    return false;
  }
}
