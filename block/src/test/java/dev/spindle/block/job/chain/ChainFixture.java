// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.LayerDisk;
import dev.spindle.block.graph.TestGraph.Work;
import dev.spindle.block.job.Guest;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobWorld;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A chain of four disks, each of which holds a part, and a guest on the uppermost. */
abstract class ChainFixture {
  static final JobOptions JOB = JobOptions.of("job0");
  static final int LENGTH = 4 << 20;
  static final int SECTORS = LENGTH / LayerDisk.SECTOR;

  /** Which the middle one is shorter than the others by. */
  static final int MISSING = SECTORS / 8;

  JobWorld world;
  LayerDisk base;
  LayerDisk lower;
  LayerDisk middle;
  LayerDisk top;
  Guest guest;

  /** What the guest sees. */
  byte[] model;

  @BeforeEach
  final void makeChain() throws Exception {
    world = new JobWorld();
    base = LayerDisk.add(world.test, "base", null, LENGTH).fill(0, SECTORS, 1);
    lower =
        LayerDisk.add(world.test, "lower", base, LENGTH)
            .fill(100, 2000, 2)
            .fill(SECTORS - 300, 100, 5);
    middle =
        LayerDisk.add(world.test, "middle", lower, LENGTH - MISSING * LayerDisk.SECTOR)
            .fill(50, 100, 3)
            .fill(3000, 8, 3);
    top = LayerDisk.add(world.test, "top", middle, LENGTH).fill(10, 3, 4).fill(3004, 50, 0);
    guest = new Guest(world, top);
    model = top.seen();
  }

  @AfterEach
  final void stop() throws Exception {
    guest.close();
    world.close();
  }

  /** The names of the nodes from the guest's down. */
  List<String> chain() throws Exception {
    return world.test.get(
        () -> BackingChain.of(guest.backend.node()).nodes().stream().map(BlockNode::name).toList());
  }

  /** Something that must be refused with this sentence, and change nothing. */
  void refused(String sentence, Work work) throws Exception {
    String before = world.test.picture();
    BlockException refusal = assertThrows(BlockException.class, () -> world.test.control(work));
    assertEquals(sentence, refusal.getMessage());
    assertEquals(before, world.test.picture());
  }
}
