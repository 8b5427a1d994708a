// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

/** Somebody who sees a driver's requests come and go. The driver's thread. */
interface SlotWatch {
  /** Sees nothing. */
  SlotWatch NONE =
      new SlotWatch() {
        @Override
        public void sent(int slot) {}

        @Override
        public void answered(int slot) {}
      };

  /** A request was put on the ring. */
  void sent(int slot);

  /** It came back. */
  void answered(int slot);
}
