// SPDX-License-Identifier: Apache-2.0

/** The machine: KVM, vCPUs, devices put together, run state. */
package dev.spindle.vmm.machine;
