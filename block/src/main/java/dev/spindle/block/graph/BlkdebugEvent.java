// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.Arrays;
import java.util.Locale;

/**
 * What a format or the block layer is just about to do, as {@code blkdebug} rules and breakpoints
 * name it (QAPI's BlkdebugEvent). Which of them happen depends on the format above.
 */
public enum BlkdebugEvent {
  L1_UPDATE,
  L1_GROW_ALLOC_TABLE,
  L1_GROW_WRITE_TABLE,
  L1_GROW_ACTIVATE_TABLE,
  L2_LOAD,
  L2_UPDATE,
  L2_UPDATE_COMPRESSED,
  L2_ALLOC_COW_READ,
  L2_ALLOC_WRITE,
  READ_AIO,
  READ_BACKING_AIO,
  READ_COMPRESSED,
  WRITE_AIO,
  WRITE_COMPRESSED,
  VMSTATE_LOAD,
  VMSTATE_SAVE,
  COW_READ,
  COW_WRITE,
  REFTABLE_LOAD,
  REFTABLE_GROW,
  REFTABLE_UPDATE,
  REFBLOCK_LOAD,
  REFBLOCK_UPDATE,
  REFBLOCK_UPDATE_PART,
  REFBLOCK_ALLOC,
  REFBLOCK_ALLOC_HOOKUP,
  REFBLOCK_ALLOC_WRITE,
  REFBLOCK_ALLOC_WRITE_BLOCKS,
  REFBLOCK_ALLOC_WRITE_TABLE,
  REFBLOCK_ALLOC_SWITCH_TABLE,
  CLUSTER_ALLOC,
  CLUSTER_ALLOC_BYTES,
  CLUSTER_FREE,
  FLUSH_TO_OS,
  FLUSH_TO_DISK,
  PWRITEV_RMW_HEAD,
  PWRITEV_RMW_AFTER_HEAD,
  PWRITEV_RMW_TAIL,
  PWRITEV_RMW_AFTER_TAIL,
  PWRITEV,
  PWRITEV_ZERO,
  PWRITEV_DONE,
  EMPTY_IMAGE_PREPARE,
  L1_SHRINK_WRITE_TABLE,
  L1_SHRINK_FREE_L2_CLUSTERS,
  COR_WRITE,
  CLUSTER_ALLOC_SPACE,
  /** Happens once, when the {@code blkdebug} node is opened. */
  NONE;

  /** As users write it. */
  public String qapiName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** All of them as users write them. */
  public static String[] qapiNames() {
    return Arrays.stream(values()).map(BlkdebugEvent::qapiName).toArray(String[]::new);
  }

  /** The event of a name out of {@link #qapiNames}. */
  public static BlkdebugEvent of(String qapiName) {
    return valueOf(qapiName.toUpperCase(Locale.ROOT));
  }
}
