// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Predicate;

/**
 * The pieces of L2 tables that are in memory: found by any thread without a lock, changed under the
 * image's lock. Each piece has a few places where it may be, so looking for one looks at those.
 */
final class L2Cache {
  private static final int WAYS = 8;

  private final AtomicReferenceArray<L2Slice> places;
  private final int setMask;

  /** Pieces with changes. Guarded by the image's lock. */
  private final List<L2Slice> dirty = new ArrayList<>();

  /**
   * Makes an empty cache.
   *
   * @param slices how many pieces it should hold; rounded up to a power of two, at least 8
   */
  L2Cache(long slices) {
    int sets = 1;
    while ((long) sets * WAYS < slices && sets < 1 << 20) {
      sets <<= 1;
    }
    this.places = new AtomicReferenceArray<>(sets * WAYS);
    this.setMask = sets - 1;
  }

  /** The piece of an index, or null if it is not here. Any thread. */
  L2Slice find(long index) {
    int first = first(index);
    for (int i = first; i < first + WAYS; i++) {
      L2Slice slice = places.getAcquire(i);
      if (slice != null && slice.index == index) {
        if (!slice.used) {
          slice.used = true;
        }
        return slice;
      }
    }
    return null;
  }

  private int first(long index) {
    return ((int) (index ^ index >>> 32) & setMask) * WAYS;
  }

  /**
   * Adds a piece in the place of another one that has no changes.
   *
   * @return false if there is no such place: changes have to be written first
   */
  boolean add(L2Slice slice) {
    int first = first(slice.index);
    int place = -1;
    for (int i = first; i < first + WAYS; i++) {
      L2Slice there = places.getPlain(i);
      if (there == null) {
        place = i;
        break;
      }
      if (!there.dirty && (place < 0 || places.getPlain(place).used)) {
        place = i;
      }
    }
    if (place < 0) {
      return false;
    }
    for (int i = first; i < first + WAYS; i++) {
      L2Slice there = places.getPlain(i);
      if (there != null) {
        there.used = false;
      }
    }
    places.setRelease(place, slice);
    return true;
  }

  /** An entry of a piece is about to be changed. */
  void willChange(L2Slice slice) {
    if (!slice.dirty) {
      slice.dirty = true;
      dirty.add(slice);
    }
  }

  /** The pieces with changes; who has written one takes it out and marks it. */
  List<L2Slice> dirty() {
    return dirty;
  }

  /** Forgets some pieces, changes too. */
  void forget(Predicate<L2Slice> which) {
    dirty.removeIf(which);
    for (int i = 0; i < places.length(); i++) {
      L2Slice slice = places.getPlain(i);
      if (slice != null && which.test(slice)) {
        places.set(i, null);
      }
    }
  }

  /** Forgets everything; nothing is dirty. */
  void clear() {
    for (int i = 0; i < places.length(); i++) {
      places.set(i, null);
    }
  }
}
