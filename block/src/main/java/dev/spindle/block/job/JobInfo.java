// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import java.util.Optional;

/**
 * What users are told of a job: QAPI's JobInfo and BlockJobInfo.
 *
 * @param type what kind it is: {@code mirror}, {@code backup}
 * @param current progress so far, in a unit of the job's own (bytes, mostly)
 * @param total where progress ends, as far as is known now
 * @param speed the most bytes per second, 0 for no limit
 * @param paused whether it stands still, or will at its next pause point
 * @param busy whether it is at work, as opposed to paused, asleep, not begun or over
 * @param error why it failed, once it has
 */
public record JobInfo(
    String id,
    String type,
    JobStatus status,
    long current,
    long total,
    long speed,
    boolean paused,
    boolean busy,
    boolean autoFinalize,
    boolean autoDismiss,
    JobIoStatus ioStatus,
    Optional<String> error) {}
