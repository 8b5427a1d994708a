// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The C spelling of a field where the rule of {@link CConstants} or {@link CStruct} does not give
 * it: a whole C expression in the first, a member (possibly {@code outer.inner}) in the second.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.FIELD)
public @interface CName {
  /** The expression or the member. */
  String value();
}
