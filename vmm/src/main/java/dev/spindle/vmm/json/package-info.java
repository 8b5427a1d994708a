// SPDX-License-Identifier: Apache-2.0

/** JSON text (RFC 8259) and its values. */
package dev.spindle.vmm.json;
