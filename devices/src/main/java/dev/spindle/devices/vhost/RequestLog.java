// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.virtio.DescriptorChain;

/**
 * The requests of one queue that a back end has taken and not given back, in shared memory that
 * outlives it (vhost-user specification, section "Inflight I/O tracking"). One thread at a time;
 * allocates nothing.
 */
sealed interface RequestLog permits InflightLog, PackedInflightLog {
  /** A request has been taken, the last one of its queue. */
  void taken(DescriptorChain chain);

  /** A request is about to be given back. */
  void finished(DescriptorChain chain);

  /** What was finished has been published. */
  void published();
}
