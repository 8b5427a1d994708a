// SPDX-License-Identifier: Apache-2.0

/** How fast exports are, beside other programs that serve the same disk to the same client. */
package dev.spindle.vmm.bench.exports;
