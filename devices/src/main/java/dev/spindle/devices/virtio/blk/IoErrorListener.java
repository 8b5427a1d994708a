// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.job.ErrorAction;

/** Told of each request of a disk that fails. */
@FunctionalInterface
public interface IoErrorListener {
  /**
   * A request has failed. On a context's thread; must not wait.
   *
   * @param action what becomes of it; when that is {@link ErrorAction#STOP}, the listener has the
   *     machine stopped: the request is kept, and sent again when the disk goes on
   * @param errno positive
   */
  void failed(Operation operation, ErrorAction action, int errno);
}
