// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A graph of its own for each test. */
abstract class GraphFixture {
  protected TestGraph test;

  @BeforeEach
  final void startGraph() throws Exception {
    test = new TestGraph();
  }

  @AfterEach
  final void stopGraph() throws Exception {
    test.close();
  }
}
