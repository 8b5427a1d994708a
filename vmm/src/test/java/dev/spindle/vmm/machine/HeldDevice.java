// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.pci.PciDevice;
import dev.spindle.devices.pci.PciIdentity;
import java.util.concurrent.CompletableFuture;

/** A PCI device whose reset, and with it the machine's, takes as long as a test wants it to. */
final class HeldDevice extends PciDevice {
  /** Completes when the first reset has begun. */
  final CompletableFuture<Void> resetBegun = new CompletableFuture<>();

  /** Completed by the test; if exceptionally, the reset fails. */
  final CompletableFuture<Void> goOn = new CompletableFuture<>();

  HeldDevice() {
    super(new PciIdentity(0x1234, 0x1111, 0, 0x00FF00, 0, 0));
  }

  @Override
  public void comeToRest() {
    resetBegun.complete(null);
    goOn.join();
  }
}
