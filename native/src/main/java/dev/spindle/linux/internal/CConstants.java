// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks a class whose static final {@code int} and {@code long} fields repeat constants of a C
 * header.
 *
 * <p>Each field stands for the C expression {@code prefix + FIELD_NAME}, unless {@link CName} gives
 * another. In an enum, each constant's field {@code number} does. A test compiles the headers and
 * compares every one of them, so a field of such a class cannot be wrong unnoticed.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface CConstants {
  /** The headers to include, as in {@code linux/kvm.h}, in order. */
  String[] headers();

  /** What precedes the field's name in C. */
  String prefix() default "";

  /** Whether C spells the fields' names in lower case. */
  boolean lowerCase() default false;
}
