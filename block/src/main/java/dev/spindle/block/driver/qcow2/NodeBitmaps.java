// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.block.bitmap.BitmapStore;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.graph.BlockException;
import dev.spindle.linux.Errno;
import java.util.List;

/** A node's bitmaps, as far as its image keeps them. Control side. */
final class NodeBitmaps implements BitmapStore {
  /** Of the memory that the JVM may use, what the bitmaps of an image get at most. */
  private static final int MOST_SHARE_OF_MEMORY = 4;

  private final Qcow2Node node;

  /** Whether bitmaps have changed in a way that the image does not know of. */
  private boolean changed;

  NodeBitmaps(Qcow2Node node) {
    this.node = node;
  }

  /**
   * Makes the bitmaps that the image lists. Those that were not stored when they should have been
   * are there without marks, and can only be removed.
   */
  void load() throws BlockException {
    Qcow2Image image = node.image();
    if (BitmapDirectory.isStale(image.header())) {
      node.warn(
          "the image was written by a program that does not know bitmaps: those that it had are"
              + " lost");
    }
    List<BitmapEntry> entries = image.bitmaps().entries();
    if (entries.isEmpty()) {
      return;
    }
    checkMemory(entries);
    for (BitmapEntry entry : entries) {
      HierarchicalBitmap bits = new HierarchicalBitmap(node.length(), entry.granularity());
      boolean usable = !entry.inUse() && entry.isKnown();
      if (usable) {
        node.onFile(
            io -> {
              BitmapTable.read(io.file(), image.geometry(), entry)
                  .load(io.file(), image.geometry(), bits);
              return null;
            });
      }
      DirtyBitmap bitmap = node.bitmaps().restore(entry.name(), bits, usable && entry.auto());
      if (!usable) {
        node.bitmaps().setInconsistent(bitmap);
      }
    }
    followAccess();
  }

  private void checkMemory(List<BitmapEntry> entries) throws Qcow2Exception {
    long most = Runtime.getRuntime().maxMemory() / MOST_SHARE_OF_MEMORY;
    long bytes = 0;
    for (BitmapEntry entry : entries) {
      bytes += node.length() / entry.granularity() / 8 + 64;
    }
    if (bytes > most) {
      throw new Qcow2Exception(
          Errno.ENOMEM,
          "The image's bitmaps need %d MiB of memory, which is too much".formatted(bytes >>> 20));
    }
  }

  /** Has bitmaps be as unchangeable as the node is. */
  void followAccess() {
    DirtyBitmaps bitmaps = node.bitmaps();
    for (DirtyBitmap bitmap : bitmaps.named()) {
      bitmaps.setReadOnly(bitmap, node.readOnly() && bitmap.persistent());
    }
  }

  @Override
  public boolean isSupported() {
    return node.image().header().version() >= 3;
  }

  @Override
  public void checkAddable(String name, long granularity) throws BlockException {
    String refusal = refusal(name);
    if (refusal != null) {
      throw new BlockException(
          "Can't make bitmap '%s' persistent in '%s': %s".formatted(name, node.name(), refusal));
    }
    long bytes = BitmapEntry.tableSize(node.image().geometry(), node.length(), granularity);
    if (bytes << node.image().geometry().clusterBits() > BitmapEntry.MOST_DATA) {
      throw new BlockException(
          "Can't make bitmap '%s' persistent in '%s': Too much space will be occupied by the bitmap. Use larger granularity"
              .formatted(name, node.name()));
    }
  }

  private String refusal(String name) {
    if (!isSupported()) {
      return "Cannot store dirty bitmaps in qcow2 v2 files";
    }
    if (node.readOnly()) {
      return "The image is read-only";
    }
    if (name.getBytes(UTF_8).length > BitmapEntry.MOST_NAME) {
      return "Name length exceeds maximum (%d characters)".formatted(BitmapEntry.MOST_NAME);
    }
    List<DirtyBitmap> kept = node.bitmaps().persistent();
    if (kept.size() >= BitmapDirectory.MOST_BITMAPS) {
      return "Maximum number of persistent bitmaps is already reached";
    }
    long bytes = 24L + name.getBytes(UTF_8).length + 7;
    for (DirtyBitmap bitmap : kept) {
      bytes += 24L + bitmap.name().getBytes(UTF_8).length + 7;
    }
    return bytes > BitmapDirectory.MOST_BYTES ? "Not enough space in the bitmap directory" : null;
  }

  @Override
  public void willChange() throws BlockException {
    changed = true;
    if (!node.readOnly()) {
      node.onFile(
          io -> {
            node.image().begin(io);
            return null;
          });
    }
  }

  @Override
  public void remove(String name) throws BlockException {
    if (node.image().bitmaps().find(name) != null) {
      changed = true;
      node.onFile(
          io -> {
            new StoredBitmaps(node.image(), io).remove(name);
            return null;
          });
    }
  }

  @Override
  public void store() throws BlockException {
    Qcow2Image image = node.image();
    if ((!changed && !image.hasBegun()) || image.isBroken() || node.readOnly()) {
      return;
    }
    List<DirtyBitmap> kept = node.bitmaps().persistent();
    if (!kept.isEmpty() || !image.bitmaps().entries().isEmpty()) {
      node.onFile(
          io -> {
            new StoredBitmaps(image, io).store(kept);
            return null;
          });
    }
    image.end();
    changed = false;
  }
}
