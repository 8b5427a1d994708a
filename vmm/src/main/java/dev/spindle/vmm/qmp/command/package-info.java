// SPDX-License-Identifier: Apache-2.0

/**
 * The declarations of QMP's commands and events, in rooms as QAPI has modules. Names, arguments,
 * replies and errors are QAPI's where nothing else is said.
 */
package dev.spindle.vmm.qmp.command;
