// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.throttle.ThrottleLimits;
import java.util.OptionalLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a filter's child holds itself, and what it has from its backing file, shows through. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FilterLaneTest extends GraphFixture {
  private static final int SECTOR = 512;

  @BeforeEach
  void start() throws Exception {
    LayerDisk base = LayerDisk.add(test, "base", null).fill(0, 128, 1);
    LayerDisk.add(test, "top", base).fill(32, 16, 2);
    LayerDisk.add(test, "other", null).fill(0, 8, 3);
    test.control(() -> test.graph.throttleGroups().add("group", ThrottleLimits.NONE));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "driver=raw,node-name=filter,file=top",
        "driver=throttle,node-name=filter,file=top,throttle-group=group",
        "driver=blkdebug,node-name=filter,image=top",
        "driver=copy-on-read,node-name=filter,file=top",
        "driver=copy-before-write,node-name=filter,file=top,target=other",
        "driver=java,node-name=filter,file=top,report=/dev/null,source=../docs/examples/Count.java",
        "driver=blkverify,node-name=filter,test=top,raw=other"
      })
  void whatTheChildHoldsShowsThrough(String filter) throws Exception {
    BlockNode node = test.open(filter);
    BackendLane lane = test.lane(test.use(node, new TestGraph.User("u")), test.io0);
    assertHeld(lane);
    test.control(() -> node.bitmaps().add("bitmap", OptionalLong.of(SECTOR)));
    assertHeld(lane);
  }

  private static void assertHeld(BackendLane lane) {
    assertEquals(-32 * SECTOR, allocated(lane, 0));
    assertEquals(16 * SECTOR, allocated(lane, 32 * SECTOR));
    assertEquals(-(LayerDisk.SIZE - 48 * SECTOR), allocated(lane, 48 * SECTOR));
  }

  private static long allocated(BackendLane lane, long offset) {
    return lane.context().call(() -> lane.allocated(offset, LayerDisk.SIZE - offset));
  }
}
