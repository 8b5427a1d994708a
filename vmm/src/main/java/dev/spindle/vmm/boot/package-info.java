// SPDX-License-Identifier: Apache-2.0

/** Loading a kernel and entering it. */
package dev.spindle.vmm.boot;
