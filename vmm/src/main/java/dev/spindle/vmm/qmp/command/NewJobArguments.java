// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import dev.spindle.block.job.ErrorPolicy;
import dev.spindle.block.job.JobOptions;
import java.util.Optional;

/** What the arguments of all commands have in common that begin a job for a node. */
interface NewJobArguments {
  Optional<String> jobId();

  String device();

  Optional<Long> speed();

  Optional<Boolean> autoFinalize();

  Optional<Boolean> autoDismiss();

  /** The job's options; without an id, it has the node's name. */
  default JobOptions job(Optional<ErrorPolicy> onSourceError, Optional<ErrorPolicy> onTargetError) {
    return new JobOptions(
        jobId().orElse(device()),
        autoFinalize().orElse(true),
        autoDismiss().orElse(true),
        speed().orElse(0L),
        onSourceError.orElse(ErrorPolicy.REPORT),
        onTargetError.orElse(ErrorPolicy.REPORT));
  }
}
