// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.BlockSizes;
import java.util.List;

/** What a client that negotiates is told of an export. Any thread. */
interface OfferedExport {
  /** By which clients ask for it. */
  String name();

  /** What it is, for people; empty if nobody said. */
  String description();

  /** Bytes. */
  long size();

  /** {@link dev.spindle.block.nbd.TransmissionFlags}, but those that hang on the style. */
  int transmissionFlags();

  /** For clients that keep to them; others may use any block. */
  BlockSizes blockSizes();

  /** What block status can tell. */
  List<MetaContext> contexts();
}
