// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.util.Comparator;
import java.util.List;

/**
 * The order in which QEMU's tools print members of JSON objects, as seen in what they print: it
 * follows from their hash table, not from anything a reader could guess. Others come last, by name.
 */
public final class MemberOrder {
  private static final List<String> SEEN =
      List.of(
          "image-end-offset",
          "backing-filename-format",
          "ivgen-alg",
          "hash-alg",
          "cipher-alg",
          "uuid",
          "total-clusters",
          "check-errors",
          "fragmented-clusters",
          "allocated-clusters",
          "icount",
          "vm-clock-nsec",
          "snapshots",
          "flags",
          "virtual-size",
          "filename",
          "cluster-size",
          "ivgen-alg",
          "hash-alg",
          "cipher-alg",
          "uuid",
          "ivgen-hash-alg",
          "format",
          "cipher-mode",
          "slots",
          "payload-offset",
          "master-key-iters",
          "actual-size",
          "type",
          "compat",
          "compression-type",
          "lazy-refcounts",
          "bitmaps",
          "refcount-bits",
          "data-file",
          "encrypt",
          "data-file-raw",
          "corrupt",
          "extended-l2",
          "cid",
          "parent-cid",
          "create-type",
          "extents",
          "data",
          "required",
          "fully-allocated",
          "name",
          "granularity",
          "date-sec",
          "date-nsec",
          "vm-clock-sec",
          "id",
          "vm-state-size",
          "active",
          "iters",
          "key-offset",
          "stripes",
          "format-specific",
          "encrypted",
          "full-backing-filename",
          "backing-filename",
          "compressed",
          "leaks",
          "corruptions",
          "leaks-fixed",
          "corruptions-fixed",
          "dirty-flag");

  /** Of their names. */
  public static final Comparator<String> QEMU =
      Comparator.comparingInt(MemberOrder::rank).thenComparing(Comparator.naturalOrder());

  private MemberOrder() {}

  private static int rank(String name) {
    int index = SEEN.indexOf(name);
    return index < 0 ? SEEN.size() : index;
  }
}
