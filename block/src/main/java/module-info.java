// SPDX-License-Identifier: Apache-2.0

/** The block layer: contexts, the graph of nodes, drivers. */
module dev.spindle.block {
  requires org.slf4j;
  requires transitive dev.spindle.linux;
}
