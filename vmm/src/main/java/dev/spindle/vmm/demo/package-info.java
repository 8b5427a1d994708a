// SPDX-License-Identifier: Apache-2.0

/** {@code spindle demo}. */
package dev.spindle.vmm.demo;
