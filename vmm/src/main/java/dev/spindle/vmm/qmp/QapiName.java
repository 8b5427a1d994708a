// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** How QAPI spells a member whose name in Java is not that in another case. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface QapiName {
  /** The name as it is on the wire. */
  String value();
}
