// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;

/** Finds the context of an iothread by the thread's id. Control side. */
@FunctionalInterface
public interface ContextFinder {
  /**
   * Finds it.
   *
   * @throws BlockException if there is no such iothread
   */
  AioContext find(String ioThread) throws BlockException;
}
