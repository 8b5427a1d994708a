// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;

import dev.spindle.block.bitmap.BitmapChange;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.qmp.ArgumentReader;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/** What happens together or not at all (QAPI: transaction.json). */
public final class TransactionCommands {
  /** What an action does: it has the name and the arguments of a command, {@code abort} apart. */
  public enum ActionType {
    ABORT(QmpCommand.None.class),
    BLOCK_DIRTY_BITMAP_ADD(BitmapCommands.NewBitmap.class),
    BLOCK_DIRTY_BITMAP_REMOVE(BitmapCommands.Bitmap.class),
    BLOCK_DIRTY_BITMAP_CLEAR(BitmapCommands.Bitmap.class),
    BLOCK_DIRTY_BITMAP_ENABLE(BitmapCommands.Bitmap.class),
    BLOCK_DIRTY_BITMAP_DISABLE(BitmapCommands.Bitmap.class),
    BLOCK_DIRTY_BITMAP_MERGE(BitmapCommands.MergeArguments.class),
    BLOCKDEV_SNAPSHOT(ChainCommands.Snapshot.class),
    BLOCKDEV_SNAPSHOT_SYNC(ChainCommands.SnapshotSync.class);

    private final Class<? extends Record> arguments;

    ActionType(Class<? extends Record> arguments) {
      this.arguments = arguments;
    }
  }

  /** One action: QAPI's TransactionAction. */
  public record Action(ActionType type, ObjectNode data) {}

  /** Whether jobs that actions begin end together: QAPI's ActionCompletionMode. */
  public enum CompletionMode {
    INDIVIDUAL,
    GROUPED
  }

  /** QAPI's TransactionProperties. */
  public record Properties(Optional<CompletionMode> completionMode) {}

  /** Arguments of {@code transaction}. */
  public record TransactionArguments(List<Action> actions, Optional<Properties> properties) {}

  /**
   * An action that has been read.
   *
   * @param data of its type's class
   */
  private record Step(ActionType type, Record data) {
    /** The node whose bitmap it is about, if it is about one. */
    Optional<String> bitmapNode() {
      return switch (data) {
        case BitmapCommands.NewBitmap bitmap -> Optional.of(bitmap.node());
        case BitmapCommands.Bitmap bitmap -> Optional.of(bitmap.node());
        case BitmapCommands.MergeArguments merge -> Optional.of(merge.node());
        default -> Optional.empty();
      };
    }
  }

  private TransactionCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockLayer, ?, ?>> all() {
    return List.of(
        action(
            "transaction",
            TransactionArguments.class,
            "Does several things in one moment, or none of them; data are the arguments of the"
                + " command that type names. Difference: no type begins jobs, so none goes with"
                + " completion-mode grouped.",
            TransactionCommands::run));
  }

  private static void run(BlockLayer layer, TransactionArguments given)
      throws BlockException, OptionException, QmpException {
    List<Step> steps = read(given);
    Snapshots snapshots = new Snapshots(layer.graph());
    try {
      // Files are made while guests still run.
      for (Step step : steps) {
        switch (step.data()) {
          case ChainCommands.Snapshot snapshot -> snapshots.add(snapshot);
          case ChainCommands.SnapshotSync snapshot -> snapshots.add(snapshot);
          default -> {}
        }
      }
      prepare(layer.graph(), steps, snapshots).commit();
    } catch (BlockException | OptionException | QmpException | RuntimeException | Error e) {
      snapshots.drop(e);
      throw e;
    }
  }

  private static List<Step> read(TransactionArguments given) throws QmpException {
    List<Step> steps = new ArrayList<>();
    for (Action action : given.actions()) {
      String prefix = "actions[" + steps.size() + "].data.";
      Record data = ArgumentReader.read(action.data(), action.type().arguments, prefix);
      steps.add(new Step(action.type(), data));
    }
    Optional<CompletionMode> mode = given.properties().flatMap(Properties::completionMode);
    if (mode.equals(Optional.of(CompletionMode.GROUPED)) && !steps.isEmpty()) {
      throw new QmpException(
          "Action '%s' does not support Transaction property completion-mode = grouped"
              .formatted(QmpCommand.word(steps.getFirst().type())));
    }
    return steps;
  }

  /** Does all that can be taken back; until the transaction ends, the nodes stand still. */
  private static Transaction prepare(BlockGraph graph, List<Step> steps, Snapshots snapshots)
      throws BlockException, QmpException {
    Set<BlockNode> nodes = new LinkedHashSet<>(snapshots.nodes());
    for (Step step : steps) {
      if (step.bitmapNode().isPresent()) {
        nodes.add(graph.find(step.bitmapNode().get()));
      }
    }
    Transaction transaction = new Transaction();
    DrainedSection section = DrainedSection.begin(nodes);
    transaction.add(
        new Transaction.Action() {
          @Override
          public void clean() {
            section.close();
          }
        });
    try {
      for (Step step : steps) {
        prepare(graph, step, transaction);
      }
      Transaction links = snapshots.begin();
      transaction.add(
          new Transaction.Action() {
            @Override
            public void commit() {
              links.commit();
            }

            @Override
            public void abort() {
              links.abort();
            }
          });
    } catch (BlockException | QmpException | RuntimeException | Error e) {
      transaction.abort();
      throw e;
    }
    return transaction;
  }

  private static void prepare(BlockGraph graph, Step step, Transaction transaction)
      throws BlockException, QmpException {
    if (step.type() == ActionType.ABORT) {
      throw new QmpException("Transaction aborted using Abort action");
    }
    if (step.bitmapNode().isEmpty()) {
      return;
    }
    DirtyBitmaps bitmaps = graph.find(step.bitmapNode().get()).bitmaps();
    BitmapChange change = new BitmapChange(bitmaps, transaction);
    switch (step.data()) {
      case BitmapCommands.NewBitmap wanted ->
          change.add(
              wanted.name(),
              BitmapCommands.granularity(wanted),
              wanted.persistent().orElse(false),
              wanted.disabled().orElse(false));
      case BitmapCommands.MergeArguments merge ->
          change.merge(bitmaps.require(merge.target()), BitmapCommands.sources(bitmaps, merge));
      case BitmapCommands.Bitmap named -> {
        var bitmap = bitmaps.require(named.name());
        switch (step.type()) {
          case BLOCK_DIRTY_BITMAP_REMOVE -> change.remove(bitmap);
          case BLOCK_DIRTY_BITMAP_CLEAR -> change.clear(bitmap);
          case BLOCK_DIRTY_BITMAP_ENABLE -> change.enable(bitmap);
          case BLOCK_DIRTY_BITMAP_DISABLE -> change.disable(bitmap);
          default -> throw new IllegalStateException(step.toString());
        }
      }
      default -> throw new IllegalStateException(step.toString());
    }
  }
}
