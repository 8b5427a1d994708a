// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** On a KVM that can run stock kernels. */
@Tag("kvm")
class TinyGuestKvmTest extends TinyGuestContract {
  @Test
  void aTripleFaultResetsTheMachine() throws Exception {
    // A breakpoint without an interrupt table, the first time.
    Code32 code =
        new Code32()
            .increment(Code32.SCRATCH)
            .loadEax(Code32.SCRATCH)
            .bytes(0x83, 0xF8, 1, 0x75, 1, 0xCC) // cmp eax, 1; jne over; int3
            .outByte(Code32.COM1, '2')
            .powerOff();
    assertEquals(Machine.Ending.POWER_OFF, run(code, true));
    assertEquals("2", printed());
  }
}
