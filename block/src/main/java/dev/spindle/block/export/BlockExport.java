// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

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

  /** Its hold on what it serves: what {@link ExportSite#openBackend} has opened. */
  BlockBackend backend();

  /** What it serves. Another one once a change of the graph has led it elsewhere. */
  default BlockNode node() {
    return backend().node();
  }

  /** Whether clients may write. */
  default boolean writable() {
    return site().options().writable();
  }

  /** Whether a client uses it now. */
  boolean isInUse();

  /** The server that clients reach it through, if it does not listen itself. */
  default Optional<ExportServer> server() {
    return Optional.empty();
  }

  /**
   * Begins to end it: takes no more clients and no more requests, and has those answered that were
   * sent. Before {@link #close}; does not wait.
   *
   * @return completed, on any thread, when all is answered that can be, and nothing of clients is
   *     on its way to the node, so that {@link #close} need not wait for it. That may never happen
   */
  CompletableFuture<Void> stop();

  /**
   * Disconnects its clients, and closes what it has on the backend, which it leaves open. Once
   * {@link #stop} is through; waits for what clients have sent since.
   */
  void close();
}
