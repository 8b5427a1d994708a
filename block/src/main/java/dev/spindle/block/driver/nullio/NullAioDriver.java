// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nullio;

/** {@code driver=null-aio}: completes on the loop's next turn, as hardware would. */
public final class NullAioDriver extends NullDriver {
  @Override
  public String name() {
    return "null-aio";
  }

  @Override
  boolean completesLater() {
    return true;
  }
}
