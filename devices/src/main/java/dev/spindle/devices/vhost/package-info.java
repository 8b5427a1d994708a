// SPDX-License-Identifier: Apache-2.0

/** The vhost-user protocol: a virtio device whose queues another process works on. */
package dev.spindle.devices.vhost;
