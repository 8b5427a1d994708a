// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockNode;

/** A block node that is served to others. Its methods are called on the control side. */
public interface BlockExport extends BackendUser {
  /** Where it was opened, and what the user wants of it. */
  ExportSite site();

  /** Unique among the exports. */
  default String id() {
    return site().options().id();
  }

  @Override
  default String describe() {
    return "export '" + id() + "'";
  }

  /** The protocol, as the user writes it in {@code type=…}. */
  String type();

  /** What it serves. Another one once a change of the graph has led it elsewhere. */
  BlockNode node();

  /** Whether clients may write. */
  default boolean writable() {
    return site().options().writable();
  }

  /**
   * Ends it: takes no more clients and no more requests, waits for the requests that were sent and
   * has them answered, disconnects its clients, and lets go of the node with {@link
   * ExportSite#release}, which makes what they wrote durable.
   */
  void close();
}
