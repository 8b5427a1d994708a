// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.MetaContexts;

/** How clients ask for metadata contexts without knowing them all. */
final class MetaQuery {
  private static final String BITMAPS = MetaContexts.QEMU_DIRTY_BITMAP;

  private MetaQuery() {}

  /**
   * Whether a query of LIST_META_CONTEXT finds a context: by its name, by its namespace ({@code
   * base:}, {@code qemu:}), or as any bitmap ({@code qemu:dirty-bitmap:}).
   */
  static boolean lists(String query, String context) {
    if (query.equals(context)) {
      return true;
    }
    boolean namespace = query.indexOf(':') == query.length() - 1;
    return (namespace || query.equals(BITMAPS)) && !query.isEmpty() && context.startsWith(query);
  }
}
