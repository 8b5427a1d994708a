// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

/**
 * The guest's clock (kvmclock), as read.
 *
 * @param nanoseconds guest time
 * @param stable whether all vCPUs see the same time without a lock
 */
public record KvmClock(long nanoseconds, boolean stable) {}
