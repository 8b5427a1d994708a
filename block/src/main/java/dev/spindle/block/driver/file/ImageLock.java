// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Tells other processes how an image is used, with open-file-description locks on the bytes that
 * QEMU uses: byte 100+i is locked, shared, while permission i is held; byte 200+i while permission
 * i is not shared. A would-be user takes his locks, then probes the opposite bytes. Control side.
 */
final class ImageLock {
  private static final long USED_BASE = 100;
  private static final long UNSHARED_BASE = 200;

  private final LinuxFile file;

  /** What is announced, apart from what open changes may come to or back to. */
  private Use announced = Use.NONE;

  /** Which change the announced use is of. */
  private int latest;

  /** The changes that are neither made nor taken back, in order of preparation. */
  private final List<Change> open = new ArrayList<>();

  private int prepared;

  ImageLock(LinuxFile file) {
    this.file = file;
  }

  /** A way to use the image. */
  private record Use(Set<Permission> used, Set<Permission> unshared) {
    static final Use NONE = new Use(Set.of(), Set.of());

    Use {
      used = Set.copyOf(used);
      unshared = Set.copyOf(unshared);
    }

    Use and(Use other) {
      Set<Permission> bothUsed = Permission.none();
      bothUsed.addAll(used);
      bothUsed.addAll(other.used);
      Set<Permission> bothUnshared = Permission.none();
      bothUnshared.addAll(unshared);
      bothUnshared.addAll(other.unshared);
      return new Use(bothUsed, bothUnshared);
    }
  }

  /**
   * A change of use. Another may be prepared, and even be over, while this one is open: each knows
   * the use with all changes before it, so the latest that is made counts.
   */
  private final class Change implements Transaction.Action {
    private final int number = ++prepared;
    private final Use before = announced;
    private final Use next;

    Change(Use next) {
      this.next = next;
      open.add(this);
    }

    @Override
    public void commit() {
      if (number > latest) {
        latest = number;
        announced = next;
      }
    }

    @Override
    public void abort() {
      if (number < latest) {
        // A later change was made that did not count on this one's being taken back.
        announced = announced.and(before);
      }
    }

    @Override
    public void clean() {
      open.remove(this);
      giveUpTheRest();
    }
  }

  /**
   * Announces what will be besides what is, or refuses and leaves it as it was.
   *
   * @return gives up what is no longer, or, on abort, what will not be
   * @throws BlockException if another process uses the image in a way that conflicts
   */
  Transaction.Action prepare(Set<Permission> nextUsed, Set<Permission> nextShared)
      throws BlockException {
    Set<Permission> nextUnshared = Permission.all();
    nextUnshared.removeAll(nextShared);
    try {
      lock(USED_BASE, nextUsed);
      lock(UNSHARED_BASE, nextUnshared);
      checkOthers(UNSHARED_BASE, nextUsed, "get");
      checkOthers(USED_BASE, nextUnshared, "get shared");
    } catch (BlockException e) {
      giveUpTheRest();
      throw e;
    } catch (LinuxException e) {
      giveUpTheRest();
      throw new BlockException(e.getMessage(), e);
    }
    return new Change(new Use(nextUsed, nextUnshared));
  }

  /** Gives up every lock but those for what is, may come, or may come back. */
  private void giveUpTheRest() {
    Use kept = announced;
    for (Change change : open) {
      kept = kept.and(change.before).and(change.next);
    }
    unlockExcept(USED_BASE, kept.used());
    unlockExcept(UNSHARED_BASE, kept.unshared());
  }

  private void lock(long base, Set<Permission> permissions) throws LinuxException, BlockException {
    for (Permission permission : permissions) {
      if (!file.ofdLock(base + permission.ordinal(), 1, false)) {
        throw conflict("get", permission);
      }
    }
  }

  private void checkOthers(long base, Set<Permission> permissions, String verb)
      throws LinuxException, BlockException {
    for (Permission permission : permissions) {
      if (file.ofdTest(base + permission.ordinal(), 1, true)) {
        throw conflict(verb, permission);
      }
    }
  }

  private BlockException conflict(String verb, Permission permission) {
    return new BlockException(
        "Failed to %s \"%s\" lock: is another process using the image [%s]?"
            .formatted(verb, permission.words(), file.path()));
  }

  private void unlockExcept(long base, Set<Permission> kept) {
    for (Permission permission : Permission.values()) {
      if (!kept.contains(permission)) {
        try {
          file.ofdUnlock(base + permission.ordinal(), 1);
        } catch (LinuxException e) {
          throw new IllegalStateException("giving up a lock failed", e);
        }
      }
    }
  }
}
