// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import org.junit.jupiter.api.BeforeAll;

/** {@link VcpuContract} on this machine's KVM, whatever it is, if it opens. */
class VcpuTest extends VcpuContract {
  @BeforeAll
  static void needsDevice() {
    assumeTrue(Files.isReadable(Kvm.DEVICE) && Files.isWritable(Kvm.DEVICE), "no /dev/kvm");
  }
}
