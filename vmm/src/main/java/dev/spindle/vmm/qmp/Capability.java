// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

/** What client and server may agree on: QAPI's QMPCapability. */
public enum Capability {
  /** Commands out of band. */
  OOB
}
