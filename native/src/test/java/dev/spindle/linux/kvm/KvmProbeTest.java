// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class KvmProbeTest {
  @Test
  @Tag("kvm")
  void realKvmIsUsable() {
    assertEquals(new KvmProbe.Result.Usable(), KvmProbe.run());
  }

  @Test
  void noDeviceIsAbsent() {
    assumeFalse(Files.exists(Kvm.DEVICE));
    KvmProbe.Result result = KvmProbe.run();
    assertInstanceOf(KvmProbe.Result.Absent.class, result);
    assertEquals(
        "there is no /dev/kvm (open /dev/kvm: ENOENT (No such file or directory))",
        result.sentence());
  }

  @Test
  void paraVirtualKvmIsUnusableAndSaysWhy() {
    assumeTrue(Files.exists(Path.of("/sys/module/kvm_pvm")) && Files.isReadable(Kvm.DEVICE));
    KvmProbe.Result result = KvmProbe.run();
    assertInstanceOf(KvmProbe.Result.Unusable.class, result);
    assertTrue(result.sentence().contains("take an exception"), result.sentence());
  }
}
