// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BlockBackendTest {
  @Test
  void quiesceWaitsForWhatWasSentAndHoldsWhatComes() throws Exception {
    try (Disk disk = new Disk("driver=null-co,latency-ns=20000000")) {
      TestRequest sent = TestRequest.range(Operation.FLUSH, 0, 0);
      disk.lane().context().execute(() -> disk.lane().submit(sent));
      disk.mainLoop.control(
          "quiesce",
          () -> {
            disk.backend.quiesceBegin();
            disk.backend.quiesceBegin();
            return null;
          });
      assertTrue(sent.result.isDone(), "quiesceBegin returned before the request had ended");

      List<Integer> order = new ArrayList<>();
      List<CompletableFuture<Void>> ends = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        int number = i;
        TestRequest held = TestRequest.range(Operation.FLUSH, 0, 0);
        ends.add(held.result.thenAccept(result -> order.add(number)));
        disk.lane()
            .context()
            .call(
                () -> {
                  disk.lane().submit(held);
                  return null;
                });
      }
      disk.mainLoop.control(
          "half",
          () -> {
            disk.backend.quiesceEnd();
            return null;
          });
      assertEquals(0, disk.lane().context().call(() -> disk.lane().inFlight()));
      assertFalse(ends.getFirst().isDone(), "an inner end let requests go");
      disk.mainLoop.control(
          "end",
          () -> {
            disk.backend.quiesceEnd();
            return null;
          });
      ends.forEach(CompletableFuture::join);
      assertEquals(List.of(0, 1, 2, 3, 4), order);
    }
  }

  @Test
  void drainWaitsForItsOwnRequestsOnly() throws Exception {
    try (Disk disk = new Disk("driver=null-co,latency-ns=20000000");
        Disk other = new Disk("driver=null-co,latency-ns=60000000000")) {
      TestRequest slow = TestRequest.range(Operation.FLUSH, 0, 0);
      other.lane().context().execute(() -> other.lane().submit(slow));
      TestRequest own = TestRequest.range(Operation.FLUSH, 0, 0);
      disk.lane().context().execute(() -> disk.lane().submit(own));
      disk.mainLoop.control(
          "drain",
          () -> {
            disk.backend.drain();
            return null;
          });
      assertTrue(own.result.isDone());
      assertFalse(slow.result.isDone());
      // The slow one is let off: its timer will not fire before the context is gone.
      other
          .lane()
          .context()
          .call(
              () -> {
                slow.complete(0);
                return null;
              });
    }
  }

  @Test
  void conflictingUsersAreNamed() throws Exception {
    try (Disk disk = new Disk("driver=null-co,node-name=shared")) {
      BackendUser second = () -> "block device 'second'";
      BlockException refusal =
          assertThrows(
              BlockException.class,
              () ->
                  disk.mainLoop.control(
                      "attach",
                      () ->
                          new BlockBackend(
                              disk.node, second, Set.of(Permission.WRITE), Permission.all())));
      assertEquals(
          "Permission conflict on node 'shared': permissions 'write' are both required by block"
              + " device 'second' (uses node 'shared' as 'root' child) and unshared by test (uses"
              + " node 'shared' as 'root' child).",
          refusal.getMessage());
      assertEquals(1, disk.node.parents().size());
    }
  }
}
