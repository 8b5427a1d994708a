// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.linux.LinuxException;
import java.io.IOException;

/** KVM is missing, may not be used, or lacks something; the message is the failed call's. */
public final class KvmException extends IOException {
  private static final long serialVersionUID = 1;

  KvmException(LinuxException cause) {
    super(cause.getMessage(), cause);
  }
}
