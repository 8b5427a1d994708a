// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

/**
 * What users say of every job.
 *
 * @param id unique among the jobs
 * @param autoFinalize {@code auto-finalize}: whether it is finalized as soon as it could be
 * @param autoDismiss {@code auto-dismiss}: whether it leaves the list as soon as it is over
 * @param speed the most bytes per second, 0 for no limit
 * @param onSourceError {@code on-source-error}
 * @param onTargetError {@code on-target-error}
 */
public record JobOptions(
    String id,
    boolean autoFinalize,
    boolean autoDismiss,
    long speed,
    ErrorPolicy onSourceError,
    ErrorPolicy onTargetError) {
  /** A job with QEMU's defaults. */
  public static JobOptions of(String id) {
    return new JobOptions(id, true, true, 0, ErrorPolicy.REPORT, ErrorPolicy.REPORT);
  }

  /** The same, but finalized by the user. */
  public JobOptions finalizedByUser() {
    return new JobOptions(id, false, autoDismiss, speed, onSourceError, onTargetError);
  }

  /** The same, but dismissed by the user. */
  public JobOptions dismissedByUser() {
    return new JobOptions(id, autoFinalize, false, speed, onSourceError, onTargetError);
  }

  /** The same at another speed. */
  public JobOptions atSpeed(long bytesPerSecond) {
    return new JobOptions(
        id, autoFinalize, autoDismiss, bytesPerSecond, onSourceError, onTargetError);
  }

  /** The same with other policies. */
  public JobOptions onErrors(ErrorPolicy source, ErrorPolicy target) {
    return new JobOptions(id, autoFinalize, autoDismiss, speed, source, target);
  }
}
