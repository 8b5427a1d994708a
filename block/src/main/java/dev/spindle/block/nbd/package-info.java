// SPDX-License-Identifier: Apache-2.0

/**
 * The NBD protocol as both ends speak it (doc/proto.md of the NBD project): numbers, and the
 * messages of both phases. Every number on the wire is big-endian.
 */
package dev.spindle.block.nbd;
