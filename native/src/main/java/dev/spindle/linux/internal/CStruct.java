// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks a class whose static final {@code int} and {@code long} fields describe one C structure.
 *
 * <p>The field {@code SIZE} is the structure's size. Every other field is the offset in bytes of
 * the member whose name is the field's name in lower case, unless {@link CName} names another
 * member (as in {@code io.port}). A test compiles the headers and compares every one of them.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface CStruct {
  /** The type as C spells it, as in {@code struct kvm_regs}. */
  String value();

  /** The headers to include, in order. */
  String[] headers();
}
