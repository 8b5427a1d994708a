// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.nbd.NbdStream;

/**
 * A connection on which requests can be sent.
 *
 * @param stream not started
 * @param terms of this connection
 */
record Link(NbdStream stream, ExportTerms terms) {}
