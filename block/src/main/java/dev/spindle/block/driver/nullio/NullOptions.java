// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nullio;

/**
 * What a user says of a null node.
 *
 * @param size bytes
 * @param latencyNs how long a request takes, nanoseconds
 * @param readZeroes whether reads fill their buffers; otherwise they leave them as they are
 * @param readOnly {@code read-only}
 * @param completesLater whether a request without latency still waits for the loop's next turn
 */
record NullOptions(
    long size, long latencyNs, boolean readZeroes, boolean readOnly, boolean completesLater) {}
