// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
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
  private Set<Permission> used = Set.of();
  private Set<Permission> unshared = Set.of();

  ImageLock(LinuxFile file) {
    this.file = file;
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
      keepOnlyAnnounced();
      throw e;
    } catch (LinuxException e) {
      keepOnlyAnnounced();
      throw new BlockException(e.getMessage(), e);
    }
    return new Transaction.Action() {
      @Override
      public void commit() {
        used = Set.copyOf(nextUsed);
        unshared = Set.copyOf(nextUnshared);
      }

      @Override
      public void clean() {
        keepOnlyAnnounced();
      }
    };
  }

  private void keepOnlyAnnounced() {
    unlockExcept(USED_BASE, used);
    unlockExcept(UNSHARED_BASE, unshared);
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
