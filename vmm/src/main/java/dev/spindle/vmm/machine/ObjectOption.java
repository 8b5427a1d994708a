// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.object.UserObject;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;

/** An object that a user makes, in the form of {@code --object} and {@code object-add}. */
public sealed interface ObjectOption
    permits IoThreadOption, ThrottleGroupOption, ObjectOption.Other {
  /** Unique among the user's objects. */
  String id();

  /** Its type as the user writes it. */
  String type();

  /** One that is nothing but what others refer to: a secret, credentials. */
  record Other(UserObject object) implements ObjectOption {
    @Override
    public String id() {
      return object.id();
    }

    @Override
    public String type() {
      return object.type();
    }
  }
}
