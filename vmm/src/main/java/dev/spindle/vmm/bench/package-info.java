// SPDX-License-Identifier: Apache-2.0

/** {@code spindle bench}. */
package dev.spindle.vmm.bench;
