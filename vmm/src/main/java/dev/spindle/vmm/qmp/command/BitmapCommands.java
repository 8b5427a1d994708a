// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmapInfo;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.graph.BlockException;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.qmp.QmpCommand;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** Dirty bitmaps (QAPI: block-core.json). */
public final class BitmapCommands {
  /** A bitmap of a node: QAPI's BlockDirtyBitmap. */
  public record Bitmap(String node, String name) {}

  /** A new bitmap: QAPI's BlockDirtyBitmapAdd. */
  public record NewBitmap(
      String node,
      String name,
      Optional<Long> granularity,
      Optional<Boolean> persistent,
      Optional<Boolean> disabled) {}

  /** Bitmaps that are joined: QAPI's BlockDirtyBitmapMerge, all of one node. */
  public record MergeArguments(String node, String target, List<String> bitmaps) {}

  /** What is told of a bitmap: QAPI's BlockDirtyInfo. */
  public record DirtyInfo(
      String name,
      long count,
      long granularity,
      boolean recording,
      boolean busy,
      boolean persistent,
      Optional<Boolean> inconsistent) {
    static DirtyInfo of(DirtyBitmapInfo info) {
      return new DirtyInfo(
          info.name(),
          info.count(),
          info.granularity(),
          info.recording(),
          info.busy(),
          info.persistent(),
          info.inconsistent() ? Optional.of(true) : Optional.empty());
    }
  }

  /** What is done to one bitmap. */
  @FunctionalInterface
  private interface Change {
    void apply(DirtyBitmaps bitmaps, DirtyBitmap bitmap) throws BlockException;
  }

  private BitmapCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockLayer, ?, ?>> all() {
    return List.of(
        action(
            "block-dirty-bitmap-add",
            NewBitmap.class,
            "Makes a bitmap that records what is written to a node from now on.",
            BitmapCommands::add),
        change(
            "block-dirty-bitmap-remove",
            "Forgets a bitmap, and takes a persistent one out of the image.",
            (bitmaps, bitmap) -> bitmaps.remove(bitmap)),
        change(
            "block-dirty-bitmap-clear",
            "Makes a bitmap clean.",
            (bitmaps, bitmap) -> bitmaps.clear(bitmap)),
        change(
            "block-dirty-bitmap-enable",
            "Has a bitmap record what is written from now on.",
            (bitmaps, bitmap) -> bitmaps.enable(bitmap)),
        change(
            "block-dirty-bitmap-disable",
            "Has a bitmap stay as it is.",
            (bitmaps, bitmap) -> bitmaps.disable(bitmap)),
        action(
            "block-dirty-bitmap-merge",
            MergeArguments.class,
            "Marks in a bitmap what is marked in others of its node. Difference: bitmaps of other"
                + " nodes cannot be named.",
            BitmapCommands::merge));
  }

  private static QmpCommand<BlockLayer, Bitmap, Void> change(
      String name, String text, Change change) {
    return action(
        name,
        Bitmap.class,
        text,
        (layer, given) -> {
          DirtyBitmaps bitmaps = layer.graph().find(given.node()).bitmaps();
          change.apply(bitmaps, bitmaps.require(given.name()));
        });
  }

  private static void add(BlockLayer layer, NewBitmap wanted) throws BlockException {
    DirtyBitmaps bitmaps = layer.graph().find(wanted.node()).bitmaps();
    OptionalLong granularity = granularity(wanted);
    DirtyBitmap bitmap =
        wanted.persistent().orElse(false)
            ? bitmaps.addPersistent(wanted.name(), granularity)
            : bitmaps.add(wanted.name(), granularity);
    if (wanted.disabled().orElse(false)) {
      bitmaps.disable(bitmap);
    }
  }

  static OptionalLong granularity(NewBitmap wanted) {
    return wanted.granularity().map(OptionalLong::of).orElseGet(OptionalLong::empty);
  }

  private static void merge(BlockLayer layer, MergeArguments given) throws BlockException {
    DirtyBitmaps bitmaps = layer.graph().find(given.node()).bitmaps();
    bitmaps.merge(bitmaps.require(given.target()), sources(bitmaps, given));
  }

  /** The bitmaps that are to be joined. */
  static List<DirtyBitmap> sources(DirtyBitmaps bitmaps, MergeArguments given)
      throws BlockException {
    List<DirtyBitmap> sources = new ArrayList<>();
    for (String name : given.bitmaps()) {
      sources.add(bitmaps.require(name));
    }
    return sources;
  }
}
