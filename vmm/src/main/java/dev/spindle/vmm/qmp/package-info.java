// SPDX-License-Identifier: Apache-2.0

/**
 * QMP, QEMU's JSON protocol for whoever controls a machine ({@code docs/interop/qmp-spec} and the
 * QAPI schema of QEMU): monitors, the commands and events that they know, and the schema that
 * describes these. Each command is declared once, in {@code qmp.command}; what is read, dispatched,
 * written and told by {@code query-qmp-schema} follows from that declaration.
 */
package dev.spindle.vmm.qmp;
