// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;

/** On whatever KVM this machine has, para-virtual ones included. */
class TinyGuestTest extends TinyGuestContract {
  @BeforeAll
  static void kvmIsHere() {
    assumeTrue(Files.isWritable(Path.of("/dev/kvm")), "this machine has some KVM");
  }
}
