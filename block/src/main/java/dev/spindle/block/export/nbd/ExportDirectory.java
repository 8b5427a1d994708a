// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import java.util.List;

/** The exports that a client can choose from. For the server's context only. */
interface ExportDirectory {
  /** All of them, in the order in which they were added. */
  List<OfferedExport> exports();

  /**
   * The export of a name.
   *
   * @param name the empty one is the only export's, if there is but one
   * @return null if there is none
   */
  default OfferedExport find(String name) {
    List<OfferedExport> all = exports();
    for (OfferedExport export : all) {
      if (export.name().equals(name)) {
        return export;
      }
    }
    return name.isEmpty() && all.size() == 1 ? all.getFirst() : null;
  }
}
