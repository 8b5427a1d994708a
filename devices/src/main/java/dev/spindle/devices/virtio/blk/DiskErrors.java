// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.job.ErrorAction;
import dev.spindle.linux.Errno;

/** What becomes of a disk's failed requests, and whether any has stopped it. Any thread. */
final class DiskErrors {
  private final ErrorPolicies policies;
  private volatile IoErrorListener listener = (operation, action, errno) -> {};
  private volatile IoStatus status = IoStatus.OK;

  DiskErrors(ErrorPolicies policies) {
    this.policies = policies;
  }

  void listen(IoErrorListener newListener) {
    listener = newListener;
  }

  IoStatus status() {
    return status;
  }

  void clear() {
    status = IoStatus.OK;
  }

  /**
   * A request has failed.
   *
   * @param errno positive
   * @return what becomes of it
   */
  ErrorAction failed(Operation operation, int errno) {
    ErrorAction action = policies.action(operation, errno);
    if (action == ErrorAction.STOP) {
      status = errno == Errno.ENOSPC ? IoStatus.NOSPACE : IoStatus.FAILED;
    }
    listener.failed(operation, action, errno);
    return action;
  }
}
