// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import dev.spindle.block.options.OptionException;

/** Where the numbers of {@link ThrottleLimits} come from, by QAPI's names. */
@FunctionalInterface
interface LimitNumbers {
  long read(String name, long otherwise, long least, long most) throws OptionException;
}
