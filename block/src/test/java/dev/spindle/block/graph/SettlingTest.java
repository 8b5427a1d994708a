// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Nodes that all are closed, some of which take long. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SettlingTest {
  private final TestGraph world = new TestGraph();
  private final CompletableFuture<Void> hanging = new CompletableFuture<>();
  private final BlockingQueue<String> settled = new LinkedBlockingQueue<>();
  private final List<List<String>> left = new CopyOnWriteArrayList<>();

  SettlingTest() throws Exception {}

  /** Hangs, or fails, when it is to settle, if its name says so. */
  private void settle(String name) {
    assertTrue(world.mainLoop.inControl());
    if (name.equals("hangs")) {
      hanging.join();
    }
    settled.add(name);
    if (name.equals("fails")) {
      throw new IllegalStateException("it fails");
    }
  }

  private TestNode settling(TestNode node) {
    node.onCallback =
        callback -> {
          if (callback.equals("settle")) {
            settle(node.name());
          }
        };
    return node;
  }

  @AfterEach
  void end() throws Exception {
    hanging.complete(null);
    world.close();
  }

  @Test
  void oneThatHangsKeepsOthersFromNothing() throws Exception {
    settling(world.filter("above", settling(world.node("below"))));
    settling(world.node("fails"));
    settling(world.filter("hangs", settling(world.node("waits"))));
    CompletableFuture<Void> end =
        world.mainLoop.start(
            "close",
            () -> {
              world.graph.closeAll(nodes -> left.add(nodes.stream().map(BlockNode::name).toList()));
              return null;
            });
    List<String> first = List.of(settled.take(), settled.take(), settled.take());
    assertTrue(first.containsAll(List.of("above", "below", "fails")), first.toString());
    assertTrue(first.indexOf("above") < first.indexOf("below"), first.toString());
    while (left.getLast().size() > 2) {
      Thread.onSpinWait();
    }
    assertEquals(List.of("hangs", "waits"), left.getLast());
    assertFalse(end.isDone());
    assertTrue(settled.isEmpty());
    hanging.complete(null);
    end.join();
    assertEquals(List.of("hangs", "waits"), List.copyOf(settled));
    assertEquals(List.of(), world.get(world.graph::nodes));
  }
}
