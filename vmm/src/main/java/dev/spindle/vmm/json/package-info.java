// SPDX-License-Identifier: Apache-2.0

/** How Spindle reads JSON text (RFC 8259): Jackson, strict, with errors in one sentence. */
package dev.spindle.vmm.json;
