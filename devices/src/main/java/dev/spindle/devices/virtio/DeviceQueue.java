// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.linux.EventFd;

/**
 * A queue as its device gets it: the ring, what the driver kicks it with, and the way back.
 *
 * <p>The kick eventfd stays connected to the guest for as long as the device exists, whoever
 * watches it. A context that takes a queue over watches the eventfd and then looks at the ring once
 * as if it had been kicked; so no kick is lost, whatever the context before it has already read.
 *
 * @param ring the virtqueue, owned by one thread at a time
 * @param kick signalled when the driver has made buffers available
 * @param interrupt raised after {@link Virtqueue#publish} says so
 */
public record DeviceQueue(Virtqueue ring, EventFd kick, QueueInterrupt interrupt) {}
