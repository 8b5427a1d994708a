// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.job.ErrorPolicy;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.chain.BackingFileChange;
import dev.spindle.block.job.chain.CommitOptions;
import dev.spindle.block.job.chain.OverlayFile;
import dev.spindle.block.job.chain.StreamOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpErrorClass;
import dev.spindle.vmm.qmp.QmpException;
import java.util.List;
import java.util.Optional;

/** Backing chains: how they grow, get shorter and are named (QAPI: block-core.json). */
public final class ChainCommands {
  /** Arguments of {@code block-stream}. */
  public record StreamArguments(
      Optional<String> jobId,
      String device,
      Optional<String> base,
      Optional<String> baseNode,
      Optional<String> backingFile,
      Optional<Boolean> backingMaskProtocol,
      Optional<String> bottom,
      Optional<Long> speed,
      Optional<ErrorPolicy> onError,
      Optional<String> filterNodeName,
      Optional<Boolean> autoFinalize,
      Optional<Boolean> autoDismiss)
      implements NewJobArguments {}

  /** Arguments of {@code block-commit}. */
  public record CommitArguments(
      Optional<String> jobId,
      String device,
      Optional<String> baseNode,
      Optional<String> base,
      Optional<String> topNode,
      Optional<String> top,
      Optional<String> backingFile,
      Optional<Boolean> backingMaskProtocol,
      Optional<Long> speed,
      Optional<ErrorPolicy> onError,
      Optional<String> filterNodeName,
      Optional<Boolean> autoFinalize,
      Optional<Boolean> autoDismiss)
      implements NewJobArguments {}

  /** An overlay that is there: QAPI's BlockdevSnapshot. */
  public record Snapshot(String node, String overlay) {}

  /** An overlay in a file: QAPI's BlockdevSnapshotSync; {@code device} is a node as well. */
  public record SnapshotSync(
      Optional<String> device,
      Optional<String> nodeName,
      String snapshotFile,
      Optional<String> snapshotNodeName,
      Optional<String> format,
      Optional<OverlayFile.Mode> mode) {}

  /** Arguments of {@code change-backing-file}. */
  public record BackingFileArguments(String device, String imageNodeName, String backingFile) {}

  private ChainCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockLayer, ?, ?>> all() {
    return List.of(
        action(
            "blockdev-snapshot",
            Snapshot.class,
            "Covers a node with an overlay that was opened without a backing file: who uses the"
                + " node uses the overlay from then on.",
            (layer, given) -> snapshot(layer, snapshots -> snapshots.add(given))),
        action(
            "blockdev-snapshot-sync",
            SnapshotSync.class,
            "Covers a node with an overlay in a file, which is made first where mode is"
                + " absolute-paths. Differences: a file that was made in vain is taken away again,"
                + " and the overlay is open for discards as blockdev-add does it by default.",
            (layer, given) -> snapshot(layer, snapshots -> snapshots.add(given))),
        action(
            "change-backing-file",
            BackingFileArguments.class,
            "Changes what an image names as its backing file, and nothing else.",
            ChainCommands::changeBackingFile),
        action(
            "block-stream",
            StreamArguments.class,
            "Copies into a node what it reads from its backing files, which it then does not stand"
                + " on any more.",
            ChainCommands::stream),
        action(
            "block-commit",
            CommitArguments.class,
            "Copies what images of a chain hold down into one of their backing files. Of the node"
                + " itself, the job becomes ready, and completing it puts the backing file in the"
                + " node's place.",
            ChainCommands::commit));
  }

  /** What is wanted of a new set of overlays. */
  @FunctionalInterface
  private interface Wanted {
    void add(Snapshots snapshots) throws BlockException, OptionException;
  }

  private static void snapshot(BlockLayer layer, Wanted wanted)
      throws BlockException, OptionException {
    Snapshots snapshots = new Snapshots(layer.graph());
    try {
      wanted.add(snapshots);
      snapshots.begin().commit();
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      snapshots.drop(e);
      throw e;
    }
  }

  private static void changeBackingFile(BlockLayer layer, BackingFileArguments given)
      throws BlockException {
    BlockNode disk = layer.graph().find(given.device());
    BlockNode image = layer.graph().find(given.imageNodeName());
    BackingFileChange.run(layer.graph(), disk, image, given.backingFile());
  }

  /** Images name a file's format raw in any case, which is all that the mask is for. */
  private static void stream(BlockLayer layer, StreamArguments given) throws BlockException {
    BlockNode node = layer.graph().find(given.device());
    JobOptions job = given.job(given.onError(), given.onError());
    StreamOptions options =
        new StreamOptions(
            job,
            given.base(),
            given.baseNode(),
            given.bottom(),
            given.backingFile(),
            given.filterNodeName());
    NewJobCommands.start(layer, job, options.job(layer.graph(), node));
  }

  private static void commit(BlockLayer layer, CommitArguments given)
      throws BlockException, QmpException {
    BlockNode disk = device(layer, given.device());
    JobOptions job = given.job(given.onError(), given.onError());
    CommitOptions options =
        new CommitOptions(
            job,
            given.top(),
            given.topNode(),
            given.base(),
            given.baseNode(),
            given.backingFile(),
            given.filterNodeName());
    NewJobCommands.start(layer, job, options.job(layer.graph(), disk));
  }

  /** As QAPI has it, this command alone tells by an error class that there is no such node. */
  private static BlockNode device(BlockLayer layer, String name) throws QmpException {
    try {
      return layer.graph().find(name);
    } catch (BlockException e) {
      throw new QmpException(QmpErrorClass.DEVICE_NOT_FOUND, e.getMessage());
    }
  }
}
