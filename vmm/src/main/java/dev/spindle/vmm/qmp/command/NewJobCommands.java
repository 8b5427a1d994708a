// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.job.BitmapMode;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.ErrorPolicy;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.SyncBitmap;
import dev.spindle.block.job.SyncMode;
import dev.spindle.block.job.backup.BackupJob;
import dev.spindle.block.job.backup.BackupOptions;
import dev.spindle.block.job.create.CreateJob;
import dev.spindle.block.job.mirror.MirrorJob;
import dev.spindle.block.job.mirror.MirrorOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.json.JsonOptions;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.qmp.QmpCommand;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/** The beginning of jobs (QAPI: block-core.json). */
public final class NewJobCommands {
  /** Arguments of {@code blockdev-mirror}. */
  public record MirrorArguments(
      Optional<String> jobId,
      String device,
      String target,
      SyncMode sync,
      Optional<Long> speed,
      Optional<Integer> granularity,
      Optional<Long> bufSize,
      Optional<ErrorPolicy> onSourceError,
      Optional<ErrorPolicy> onTargetError,
      Optional<String> filterNodeName,
      Optional<CopyMode> copyMode,
      Optional<String> bitmap,
      Optional<BitmapMode> bitmapMode,
      Optional<Boolean> autoFinalize,
      Optional<Boolean> autoDismiss)
      implements NewJobArguments {}

  /** Arguments of {@code blockdev-backup}. */
  public record BackupArguments(
      Optional<String> jobId,
      String device,
      String target,
      SyncMode sync,
      Optional<Long> speed,
      Optional<String> bitmap,
      Optional<BitmapMode> bitmapMode,
      Optional<ErrorPolicy> onSourceError,
      Optional<ErrorPolicy> onTargetError,
      Optional<String> filterNodeName,
      Optional<Boolean> autoFinalize,
      Optional<Boolean> autoDismiss)
      implements NewJobArguments {}

  /** Arguments of {@code blockdev-create}; the options are QAPI's BlockdevCreateOptions. */
  public record CreateArguments(String jobId, ObjectNode options) {}

  private NewJobCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockLayer, ?, ?>> all() {
    return List.of(
        action(
            "blockdev-mirror",
            MirrorArguments.class,
            "Copies a node to another and keeps the copy up to date; completing the job puts the"
                + " copy in the node's place.",
            NewJobCommands::mirror),
        action(
            "blockdev-backup",
            BackupArguments.class,
            "Copies a node to another as it is now, whatever is written meanwhile.",
            NewJobCommands::backup),
        action(
            "blockdev-create",
            CreateArguments.class,
            "Makes an image. The job stays until it is dismissed.",
            NewJobCommands::create));
  }

  private static void mirror(BlockLayer layer, MirrorArguments given) throws BlockException {
    BlockNode source = layer.graph().find(given.device());
    BlockNode target = layer.graph().find(given.target());
    JobOptions job = given.job(given.onSourceError(), given.onTargetError());
    MirrorOptions defaults =
        MirrorOptions.of(job, given.sync(), given.copyMode().orElse(CopyMode.BACKGROUND));
    MirrorOptions options =
        new MirrorOptions(
            job,
            defaults.sync(),
            bitmap(source, given.bitmap()),
            given.bitmapMode().orElse(defaults.bitmapMode()),
            defaults.copyMode(),
            given.granularity().orElse(defaults.granularity()),
            given.bufSize().orElse(defaults.bufSize()),
            given.filterNodeName());
    start(layer, job, new MirrorJob(layer.graph(), source, target, options));
  }

  private static void backup(BlockLayer layer, BackupArguments given) throws BlockException {
    BlockNode source = layer.graph().find(given.device());
    BlockNode target = layer.graph().find(given.target());
    JobOptions job = given.job(given.onSourceError(), given.onTargetError());
    BackupOptions options =
        new BackupOptions(
            job,
            given.sync(),
            bitmap(source, given.bitmap()),
            given.bitmapMode().orElse(BitmapMode.ON_SUCCESS),
            given.filterNodeName());
    start(layer, job, new BackupJob(layer.graph(), source, target, options));
  }

  private static void create(BlockLayer layer, CreateArguments given)
      throws BlockException, OptionException {
    JsonOptions flat = JsonOptions.of("blockdev-create", given.options());
    Options options = new Options("blockdev-create", flat.values(), flat.notText());
    JobOptions job = JobOptions.of(given.jobId()).dismissedByUser();
    start(layer, job, CreateJob.of(layer.graph(), options));
  }

  private static Optional<SyncBitmap> bitmap(BlockNode source, Optional<String> name)
      throws BlockException {
    return name.isPresent() ? Optional.of(SyncBitmap.of(source, name.get())) : Optional.empty();
  }

  /** Has a job made, and begin. */
  static void start(BlockLayer layer, JobOptions options, JobDriver driver) throws BlockException {
    layer.jobs().create(options, null, driver);
    layer.jobs().start(options.id());
  }
}
