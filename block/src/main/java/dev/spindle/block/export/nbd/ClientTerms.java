// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.HeaderStyle;
import java.util.List;

/**
 * What one client and the server have agreed on.
 *
 * @param style of headers
 * @param sizes what the client said that it keeps to, or what any client may count on
 * @param transmissionFlags as the client was told
 * @param contexts that block status tells, by position their numbers
 */
record ClientTerms(
    HeaderStyle style, BlockSizes sizes, int transmissionFlags, List<MetaContext> contexts) {
  ClientTerms {
    contexts = List.copyOf(contexts);
  }

  /** Whether the server may do a thing that it offered. */
  boolean has(int transmissionFlag) {
    return (transmissionFlags & transmissionFlag) != 0;
  }
}
