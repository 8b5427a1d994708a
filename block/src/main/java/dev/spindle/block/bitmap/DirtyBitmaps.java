// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import dev.spindle.block.graph.BlockException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.LongSupplier;

/**
 * The dirty bitmaps of one node. Whoever writes calls {@link #mark} from its own thread; everything
 * else is the control side's, under the control lock.
 *
 * <p>{@code mark} takes no lock, although the control side freezes, enables, resizes and removes
 * bitmaps meanwhile. It works on an array that never changes and is replaced as a whole, and when
 * it is done it looks whether the array is still there; if not, it marks anew, which does no harm.
 * So at the moment of that last look, the mark was in everything that recorded then. What replaces
 * one bitmap by another (freezing, reclaiming, resizing) first publishes the array with the new
 * one, and moves marks out of the old one afterwards: none that {@code mark} still owed the old one
 * can be missed.
 */
public final class DirtyBitmaps {
  /** Of a name, in bytes of UTF-8. */
  private static final int MOST_NAME_BYTES = 1023;

  private static final HierarchicalBitmap[] NONE = {};

  private final List<DirtyBitmap> bitmaps = new ArrayList<>();
  private final LongSupplier length;
  private final long clusterSize;
  private final PresenceChange presenceChange;
  private final BitmapStore store;

  /** What writes mark. Written on the control side, read by any thread. */
  private volatile HierarchicalBitmap[] recording = NONE;

  /** Has the node's writes call {@link #mark}, or not call it any more. */
  @FunctionalInterface
  public interface PresenceChange {
    /**
     * The first bitmap is there, or the last one is gone. Waits for what is being written.
     *
     * @throws BlockException if that is not possible
     */
    void run() throws BlockException;
  }

  /**
   * A node without bitmaps.
   *
   * @param length of the node in bytes, asked for when there is a first bitmap
   * @param clusterSize of its format in bytes, 0 if it has none
   * @param presenceChange called when there is a first bitmap, and when there is none any more
   * @param store where persistent bitmaps live on
   */
  public DirtyBitmaps(
      LongSupplier length, long clusterSize, PresenceChange presenceChange, BitmapStore store) {
    this.length = length;
    this.clusterSize = clusterSize;
    this.presenceChange = presenceChange;
    this.store = store;
  }

  /** Of the bitmaps, in bytes; of the node, if there is none. */
  public long size() {
    return bitmaps.isEmpty() ? length.getAsLong() : bitmaps.getFirst().size();
  }

  /** Whether there can be persistent ones. */
  public boolean canPersist() {
    return store.isSupported();
  }

  /** Those that the node's image keeps, in the order in which they were added. */
  public List<DirtyBitmap> persistent() {
    return bitmaps.stream().filter(DirtyBitmap::persistent).toList();
  }

  /** Whether there is no bitmap, be it one without a name. Any context, while the node is still. */
  public boolean isEmpty() {
    return bitmaps.isEmpty();
  }

  /**
   * Records that a range was written, after the write and before whoever asked for it hears that it
   * is done. Allocates nothing. Any thread.
   */
  public void mark(long offset, long bytes) {
    HierarchicalBitmap[] marked = null;
    for (HierarchicalBitmap[] now = recording; now != marked; now = recording) {
      for (HierarchicalBitmap bits : now) {
        bits.set(offset, bytes);
      }
      marked = now;
    }
  }

  /**
   * Adds a clean bitmap, enabled: what is written from now on is recorded. Waits if it is the first
   * one.
   *
   * @param granularity bytes for one bit; if empty, {@link DirtyBitmap#defaultGranularity}
   * @throws BlockException if the name is empty, too long or taken, if the granularity is not a
   *     power of two from 512 to 2 GiB, or if it would take too much memory
   */
  public DirtyBitmap add(String name, OptionalLong granularity) throws BlockException {
    HierarchicalBitmap bits = newBits(name, granularity);
    checkLength(name);
    return install(new DirtyBitmap(name, bits));
  }

  /**
   * As {@link #add}, of a bitmap that the node's image is to keep.
   *
   * @throws BlockException also if the image cannot keep it
   */
  public DirtyBitmap addPersistent(String name, OptionalLong granularity) throws BlockException {
    HierarchicalBitmap bits = newBits(name, granularity);
    store.checkAddable(name, bits.granularity());
    checkLength(name);
    store.willChange();
    DirtyBitmap bitmap = new DirtyBitmap(name, bits);
    bitmap.persistent = true;
    return install(bitmap);
  }

  private static void checkLength(String name) throws BlockException {
    if (name.getBytes(StandardCharsets.UTF_8).length > MOST_NAME_BYTES) {
      throw new BlockException("Bitmap name too long: " + name);
    }
  }

  private HierarchicalBitmap newBits(String name, OptionalLong granularity) throws BlockException {
    if (name.isEmpty()) {
      throw new BlockException("Bitmap name cannot be empty");
    }
    if (find(name) != null) {
      throw new BlockException("Bitmap already exists: " + name);
    }
    long bytes = granularity.orElse(DirtyBitmap.defaultGranularity(clusterSize));
    if (bytes < DirtyBitmap.LEAST_GRANULARITY || Long.bitCount(bytes) != 1) {
      throw new BlockException("Granularity must be power of 2 and at least 512");
    }
    if (bytes > HierarchicalBitmap.MOST_GRANULARITY) {
      throw new BlockException(
          "Granularity must be at most " + HierarchicalBitmap.MOST_GRANULARITY);
    }
    return new HierarchicalBitmap(size(), bytes);
  }

  /**
   * Adds a persistent bitmap as the node's image has it. Of a node that nobody has a lane to yet.
   *
   * @param name unique within the node
   * @param recording whether what is written is to be recorded
   */
  public DirtyBitmap restore(String name, HierarchicalBitmap bits, boolean recording) {
    DirtyBitmap bitmap = new DirtyBitmap(name, bits);
    bitmap.persistent = true;
    bitmap.enabled = recording;
    bitmaps.add(bitmap);
    publish();
    return bitmap;
  }

  /**
   * Adds a job's own bitmap: enabled, without a name, seen by nobody else. The job keeps the node
   * from being resized as long as it has it.
   *
   * @param granularity bytes for one bit, a power of two from 1 to 2 GiB
   * @throws BlockException if it would take too much memory
   */
  public DirtyBitmap addAnonymous(long granularity) throws BlockException {
    return install(new DirtyBitmap(null, new HierarchicalBitmap(size(), granularity)));
  }

  private DirtyBitmap install(DirtyBitmap bitmap) throws BlockException {
    bitmaps.add(bitmap);
    publish();
    if (bitmaps.size() == 1) {
      try {
        presenceChange.run();
      } catch (BlockException | RuntimeException | Error e) {
        bitmaps.remove(bitmap);
        publish();
        throw e;
      }
    }
    return bitmap;
  }

  /**
   * The bitmap of a name.
   *
   * @throws BlockException if there is none
   */
  public DirtyBitmap require(String name) throws BlockException {
    DirtyBitmap bitmap = find(name);
    if (bitmap == null) {
      throw new BlockException("Dirty bitmap '" + name + "' not found");
    }
    return bitmap;
  }

  private DirtyBitmap find(String name) {
    for (DirtyBitmap bitmap : bitmaps) {
      if (name.equals(bitmap.name())) {
        return bitmap;
      }
    }
    return null;
  }

  /** Those that have names, in the order in which they were added. */
  public List<DirtyBitmap> named() {
    return bitmaps.stream().filter(bitmap -> bitmap.name() != null).toList();
  }

  /** What users are told. */
  public List<DirtyBitmapInfo> query() {
    return named().stream().map(DirtyBitmap::info).toList();
  }

  /** Whether a bitmap forbids that the node is written to. */
  public boolean anyReadOnly() {
    return bitmaps.stream().anyMatch(DirtyBitmap::readOnly);
  }

  /**
   * Removes a bitmap; a persistent one from the image as well.
   *
   * @throws BlockException if it is busy or read-only, or the image cannot be written
   */
  public void remove(DirtyBitmap bitmap) throws BlockException {
    check(bitmap);
    bitmap.checkRemovable();
    if (bitmap.persistent) {
      store.remove(bitmap.name());
    }
    drop(bitmap);
  }

  /**
   * Removes a bitmap, and leaves the image to the next {@link #store}.
   *
   * @throws BlockException if the node's way cannot be made anew
   */
  void drop(DirtyBitmap bitmap) throws BlockException {
    bitmaps.remove(bitmap);
    publish();
    if (bitmaps.isEmpty()) {
      presenceChange.run();
    }
  }

  /**
   * Makes a bitmap clean.
   *
   * @throws BlockException see {@link DirtyBitmap#checkModifiable}
   */
  public void clear(DirtyBitmap bitmap) throws BlockException {
    check(bitmap);
    bitmap.checkModifiable();
    willChange(bitmap);
    bitmap.bits.clear();
  }

  /**
   * Has writes recorded from now on.
   *
   * @throws BlockException see {@link DirtyBitmap#checkUsable}
   */
  public void enable(DirtyBitmap bitmap) throws BlockException {
    setEnabled(bitmap, true);
  }

  /**
   * Has writes recorded no more.
   *
   * @throws BlockException see {@link DirtyBitmap#checkUsable}
   */
  public void disable(DirtyBitmap bitmap) throws BlockException {
    setEnabled(bitmap, false);
  }

  private void setEnabled(DirtyBitmap bitmap, boolean enabled) throws BlockException {
    check(bitmap);
    bitmap.checkUsable();
    willChange(bitmap);
    bitmap.enabled = enabled;
    publish();
  }

  /** To be called before a job, or its user, changes what a bitmap holds or does. */
  void willChange(DirtyBitmap bitmap) throws BlockException {
    if (bitmap.persistent) {
      store.willChange();
    }
  }

  /**
   * Has the node's image hold its persistent bitmaps as they are. Nobody writes to the node. May
   * wait.
   *
   * @throws BlockException if that is not possible
   */
  public void store() throws BlockException {
    store.store();
  }

  /**
   * Marks in a bitmap what is dirty in others, of this node or of others; all or nothing.
   *
   * @throws BlockException if the target is not {@link DirtyBitmap#checkModifiable modifiable}, or
   *     a source is not {@link DirtyBitmap#checkUsable usable} or of another size
   */
  public void merge(DirtyBitmap target, List<DirtyBitmap> sources) throws BlockException {
    check(target);
    target.checkModifiable();
    for (DirtyBitmap source : sources) {
      source.checkUsable();
      if (source.size() != target.size()) {
        throw new BlockException(
            "Bitmaps are of different sizes (destination size is "
                + target.size()
                + ", source size is "
                + source.size()
                + ") and can't be merged");
      }
    }
    willChange(target);
    for (DirtyBitmap source : sources) {
      target.bits.merge(source.bits);
    }
  }

  /**
   * Hands a bitmap to a job and has a successor record what is written from now on, if the bitmap
   * did. What it held does not change but by the job, with one exception: a write that is just
   * being marked may be in both. It is busy until {@link #abdicate} or {@link #reclaim}.
   *
   * @throws BlockException if it is busy or inconsistent, or there is no memory for the successor
   */
  public void freeze(DirtyBitmap bitmap) throws BlockException {
    check(bitmap);
    bitmap.checkUsable();
    willChange(bitmap);
    bitmap.successor = new HierarchicalBitmap(bitmap.size(), bitmap.granularity());
    bitmap.busy = true;
    publish();
  }

  /** The job of a frozen bitmap did its work: what the successor recorded is what is dirty. */
  public void abdicate(DirtyBitmap bitmap) {
    bitmap.bits = thaw(bitmap);
  }

  /** The job of a frozen bitmap failed: what the successor recorded is dirty too. */
  public void reclaim(DirtyBitmap bitmap) {
    HierarchicalBitmap successor = thaw(bitmap);
    publish();
    bitmap.bits.merge(successor);
  }

  private HierarchicalBitmap thaw(DirtyBitmap bitmap) {
    check(bitmap);
    HierarchicalBitmap successor = bitmap.successor;
    if (successor == null) {
      throw new IllegalStateException("bitmap '" + bitmap.name() + "' is not frozen");
    }
    bitmap.successor = null;
    bitmap.busy = false;
    return successor;
  }

  /**
   * Keeps everybody else off a bitmap, which goes on recording, until {@link #release}. Who is
   * going to change what it holds calls {@link #reserveForChange}.
   *
   * @throws BlockException if somebody holds it, or it is inconsistent
   */
  public void reserve(DirtyBitmap bitmap) throws BlockException {
    check(bitmap);
    bitmap.checkUsable();
    bitmap.busy = true;
  }

  /**
   * As {@link #reserve}, for who changes what the bitmap holds.
   *
   * @throws BlockException also if the image of a persistent one cannot be written
   */
  public void reserveForChange(DirtyBitmap bitmap) throws BlockException {
    check(bitmap);
    bitmap.checkUsable();
    willChange(bitmap);
    bitmap.busy = true;
  }

  /** Ends {@link #reserve}. */
  public void release(DirtyBitmap bitmap) {
    check(bitmap);
    if (bitmap.frozen()) {
      throw new IllegalStateException("bitmap '" + bitmap.name() + "' is frozen");
    }
    bitmap.busy = false;
  }

  /** Forbids that a bitmap changes, and that the node is written to; or ends that. */
  public void setReadOnly(DirtyBitmap bitmap, boolean readOnly) {
    check(bitmap);
    bitmap.readOnly = readOnly;
  }

  /** The image file says that it was not saved properly: it records nothing and can be removed. */
  public void setInconsistent(DirtyBitmap bitmap) {
    check(bitmap);
    bitmap.inconsistent = true;
    bitmap.enabled = false;
    publish();
  }

  /**
   * The node gets another size: what is new is clean, what is gone is forgotten. A node that grows
   * calls it before anybody writes to the new part, one that shrinks afterwards.
   *
   * @return takes it back, while nobody has written
   * @throws BlockException if a bitmap is not {@link #checkResizable resizable}, or there is not
   *     enough memory; nothing has changed then
   */
  public Runnable resize(long newSize) throws BlockException {
    checkResizable();
    List<HierarchicalBitmap> resized = new ArrayList<>();
    for (DirtyBitmap bitmap : bitmaps) {
      resized.add(new HierarchicalBitmap(newSize, bitmap.granularity()));
    }
    List<HierarchicalBitmap> old = bitmaps.stream().map(DirtyBitmap::bits).toList();
    replaceBits(resized);
    for (int i = 0; i < resized.size(); i++) {
      resized.get(i).merge(old.get(i));
    }
    return () -> replaceBits(old);
  }

  private void replaceBits(List<HierarchicalBitmap> next) {
    for (int i = 0; i < next.size(); i++) {
      bitmaps.get(i).bits = next.get(i);
    }
    publish();
  }

  /**
   * Refuses another size while somebody holds a bitmap, or one is not consistent.
   *
   * @throws BlockException why
   */
  public void checkResizable() throws BlockException {
    for (DirtyBitmap bitmap : bitmaps) {
      if (bitmap.name() == null) {
        throw new BlockException("A job needs the node to keep its size");
      }
      bitmap.checkUsable();
    }
  }

  /** Has writes mark what records now. */
  void publish() {
    recording =
        bitmaps.stream()
            .map(DirtyBitmap::marked)
            .filter(Objects::nonNull)
            .toArray(HierarchicalBitmap[]::new);
  }

  private void check(DirtyBitmap bitmap) {
    if (!bitmaps.contains(bitmap)) {
      throw new IllegalArgumentException("bitmap '" + bitmap.name() + "' is of another node");
    }
  }
}
