// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.LayerDisk;
import dev.spindle.block.graph.OverlayChange;
import dev.spindle.block.job.Guest;
import dev.spindle.block.job.JobStatus;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OverlayTest extends ChainFixture {
  private LayerDisk overlay(String name) throws Exception {
    return LayerDisk.add(world.test, name, null, LENGTH);
  }

  /** Two disks of one moment, while somebody writes to both. */
  @Test
  void severalDisksAreCoveredInOneMoment() throws Exception {
    LayerDisk second = overlay("second").fill(0, SECTORS, 9);
    Guest other = new Guest(world, second);
    LayerDisk one = overlay("one");
    LayerDisk two = overlay("two");
    guest.startWriting(1);
    other.startWriting(2);
    guest.awaitWrites(20);
    other.awaitWrites(20);
    byte[][] moment = new byte[2][];
    world.test.control(
        () -> {
          OverlayChange change = new OverlayChange(world.test.graph);
          change.add(top, one);
          change.add(second, two);
          var prepared = change.begin();
          // Nobody writes here.
          moment[0] = top.seen();
          moment[1] = second.seen();
          prepared.commit();
        });
    guest.awaitWrites(20);
    other.awaitWrites(20);
    guest.stop();
    other.close();
    assertEquals(List.of("one", "top", "middle", "lower", "base"), chain());
    assertArrayEquals(moment[0], top.seen());
    assertArrayEquals(moment[1], second.seen());
    assertArrayEquals(one.seen(), guest.read(0, LENGTH));
    assertTrue(one.held.cardinality() > 0);
    assertTrue(top.requests.stream().anyMatch(request -> request.startsWith("FLUSH")));
  }

  @Test
  void oneThatCannotBeCoveredKeepsTheOthers() throws Exception {
    LayerDisk one = overlay("one");
    LayerDisk readOnly = overlay("read-only");
    readOnly.readOnly = true;
    LayerDisk second = overlay("second");
    Guest other = new Guest(world, second);
    refused(
        "Read-only block node 'read-only' does not support read-write users: user 'guest' (uses"
            + " node 'read-only' as 'root' child)",
        () -> {
          OverlayChange change = new OverlayChange(world.test.graph);
          change.add(top, one);
          change.add(second, readOnly);
          change.begin().commit();
        });
    assertArrayEquals(model, guest.read(0, LENGTH));
    other.close();
  }

  @Test
  void whatIsNoFreeOverlayIsRefused() throws Exception {
    refusedOverlay("The overlay 'middle' is already in use", middle);
    refusedOverlay("The overlay 'top' is already in use", top);
    LayerDisk backed = LayerDisk.add(world.test, "backed", base, LENGTH);
    refusedOverlay("The overlay 'backed' already has a backing image", backed);
    world.test.open("driver=null-co,node-name=nothing,size=4M");
    refused(
        "The overlay 'nothing' does not support backing images",
        () -> {
          OverlayChange change = new OverlayChange(world.test.graph);
          change.add(top, world.test.graph.find("nothing"));
        });
  }

  private void refusedOverlay(String sentence, LayerDisk overlay) throws Exception {
    refused(
        sentence,
        () -> {
          OverlayChange change = new OverlayChange(world.test.graph);
          change.add(top, overlay);
        });
  }

  /** A job relies on what it stands before. */
  @Test
  void aNodeThatAJobWorksOnIsNotCovered() throws Exception {
    LayerDisk one = overlay("one");
    StreamOptions manual = StreamOptions.of(JOB.finalizedByUser());
    world.start(manual.job(), null, new StreamJob(world.test.graph, top, manual));
    world.awaitStatus("job0", JobStatus.PENDING);
    refused(
        "Cannot change 'file' link from node '#block0' to 'top': stream job 'job0' relies on it",
        () -> {
          OverlayChange change = new OverlayChange(world.test.graph);
          change.add(top, one);
          change.begin().commit();
        });
    world.monitor(monitor -> monitor.cancel("job0", true));
    world.awaitGone("job0");
  }

  @Test
  void theNameAloneCanBeChanged() throws Exception {
    String before = world.test.picture();
    world.test.control(() -> BackingFileChange.run(world.test.graph, top, middle, "elsewhere"));
    assertEquals(before, world.test.picture());
    assertEquals(
        Optional.of(new BackingName("elsewhere", Optional.of("layer"))), middle.backingFile());
    refused(
        "Node 'base' has no backing file that its image could name",
        () -> BackingFileChange.run(world.test.graph, top, base, "x"));
    refused(
        "Node 'top' is not in the backing chain of 'middle'",
        () -> BackingFileChange.run(world.test.graph, middle, top, "x"));
  }
}
