// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.linux.Errno;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How long nodes are, and where their data is: nobody sees that change who does not share it. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ExtentTest extends GraphFixture {
  private static final String DISK = "driver=null-co,node-name=disk,size=";
  private static final String WINDOW = "driver=raw,node-name=window,file=disk";

  private static final String NEXT = "driver=null-co,node-name=next,size=";
  private static final String MOVED = "driver=raw,node-name=window,file=next";
  private static final String OUTER = "driver=raw,node-name=outer,offset=8k,file=";

  private BackendLane use(BlockNode node, Set<Permission> shared) throws Exception {
    User user = new User("u");
    return test.lane(
        test.get(() -> new BlockBackend(node, user, TestGraph.READ, shared)), test.io0);
  }

  private static int read(BackendLane lane, long offset) {
    return TestGraph.send(lane, TestRequest.transfer(Operation.READ, offset, Io.memory(512)))
        .result
        .join();
  }

  @Test
  void aWindowStaysAsItIsUnderWhoeverDoesNotShareResize() throws Exception {
    test.open(DISK + "8k");
    BlockNode window = test.open(WINDOW + ",offset=1k,size=4k");
    BackendLane lane = use(window, TestGraph.READ);
    String by = "permission 'resize' is unshared by user 'u' (uses node 'window' as 'root' child).";
    assertEquals(
        "Cannot change the size of node 'window' from 4096 to 1024 bytes: " + by,
        test.reopenRefusal(WINDOW + ",offset=1k,size=1k"));
    assertEquals(
        "Cannot change the size of node 'window' from 4096 to 7168 bytes: " + by,
        test.reopenRefusal(WINDOW + ",offset=1k"));
    assertEquals(
        "Cannot change the option 'offset' of node 'window': " + by,
        test.reopenRefusal(WINDOW + ",offset=2k,size=4k"));
    assertEquals(0, read(lane, 3584));
    test.reopen(WINDOW + ",offset=1k,size=4k");
    assertEquals(0, read(lane, 3584));
  }

  @Test
  void whoSharesResizeSeesTheNewWindow() throws Exception {
    test.open(DISK + "8k");
    BlockNode window = test.open(WINDOW + ",offset=1k,size=4k");
    BackendLane lane = use(window, Permission.all());
    test.reopen(WINDOW + ",offset=2k,size=1k");
    assertEquals(1024, window.length());
    assertEquals(0, read(lane, 512));
    assertEquals(-Errno.EIO, read(lane, 1024));
    test.reopen(WINDOW);
    assertEquals(0, read(lane, 7680));
  }

  /** A window that does not begin where its child does is no filter that might be taken out. */
  @Test
  void whatAWindowIsToItsChildFollowsItsOptions() throws Exception {
    test.open(DISK + "8k");
    BlockNode window = test.open(WINDOW);
    assertEquals(ChildRole.FILTER, window.children().getFirst().roles());
    String refusal = "permission 'resize' is unshared by user 'u' (uses node 'window' as 'root'";
    BackendLane lane = use(window, TestGraph.READ);
    assertEquals(
        "Cannot change the size of node 'window' from 8192 to 4096 bytes: " + refusal + " child).",
        test.reopenRefusal(WINDOW + ",size=4k"));
    assertEquals(ChildRole.FILTER, window.children().getFirst().roles());
    test.closeLane(lane);
    test.control(((BlockBackend) window.parents().getFirst().parent())::close);
    test.reopen(WINDOW + ",size=4k");
    assertEquals(Set.of(ChildRole.DATA, ChildRole.PRIMARY), window.children().getFirst().roles());
    assertEquals(
        "Node 'window' is not a filter", test.refusal(() -> test.graph.removeFilter(window)));
    test.reopen(WINDOW);
    assertEquals(ChildRole.FILTER, window.children().getFirst().roles());
  }

  @Test
  void aChildBecomesShorterOnlyIfAllAboveShareThat() throws Exception {
    test.open(DISK + "8k");
    BlockNode window = test.open(WINDOW);
    test.filter("filter", window);
    use(window, TestGraph.READ);
    assertEquals(
        "Cannot change the size of node 'disk' from 8192 to 4096 bytes: permission 'resize' is"
            + " unshared by node 'window' (uses node 'disk' as 'file' child).",
        test.reopenRefusal(DISK + "4k"));
    assertEquals(
        "Cannot change the size of node 'window' from 8192 to 4096 bytes: permission 'resize' is"
            + " unshared by user 'u' (uses node 'window' as 'root' child).",
        test.reopenRefusal(DISK + "4k", WINDOW));
  }

  @Test
  void aWindowGoesByWhatItsChildWillBeInWhateverOrderTheyAreNamed() throws Exception {
    test.open(DISK + "8k");
    BlockNode window = test.open(WINDOW);
    BackendLane lane = use(window, Permission.all());
    test.reopen(WINDOW + ",offset=8k", DISK + "16k");
    assertEquals(8192, window.length());
    test.reopen(DISK + "4k", WINDOW);
    assertEquals(4096, window.length());
    assertEquals(-Errno.EIO, read(lane, 4096));
    test.reopen(DISK + "2k");
    assertEquals(2048, window.length());
    assertEquals(0, read(lane, 1536));
    assertEquals(-Errno.EIO, read(lane, 2048));
  }

  /** The child is none yet, and the window comes first. */
  @Test
  void aWindowGoesByWhatItsNewChildWillBe() throws Exception {
    test.open(DISK + "8k");
    test.open(NEXT + "8k");
    BlockNode window = test.open(WINDOW);
    test.reopen(MOVED + ",offset=8k", NEXT + "16k");
    assertEquals(8192, window.length());
    test.reopen(WINDOW, DISK + "8k,read-only=on");
    assertTrue(window.readOnly());
    test.reopen(MOVED, NEXT + "16k");
    assertFalse(window.readOnly());
  }

  /** What is between gets another child, and is as long as that at once. */
  @Test
  void aWindowGoesByTheNewChildOfItsChild() throws Exception {
    test.open(DISK + "8k");
    test.open(NEXT + "16k");
    test.control(() -> test.graph.throttleGroups().add("g", ThrottleLimits.NONE));
    test.open(WINDOW);
    BlockNode outer = test.open(OUTER + "window");
    assertEquals(0, outer.length());
    test.reopen(OUTER + "window", MOVED);
    assertEquals(8192, outer.length());
    String filter = "driver=throttle,node-name=filter,throttle-group=g,file=";
    test.open(filter + "disk");
    assertEquals(
        "--blockdev: unknown parameter 'nonsense'",
        test.reopenRefusal(OUTER + "window", filter + "next,nonsense=1"));
    test.reopen(OUTER + "filter,size=8k", filter + "next");
    assertEquals(8192, outer.length());
    assertEquals(
        "The sum of offset (8192) and size (8192) has to be smaller or equal to the actual size of"
            + " the containing file (8192)",
        test.reopenRefusal(OUTER + "filter,size=8k", filter + "disk"));
  }

  @Test
  void aWritableWindowOfWhatWillBeReadOnlyIsRefused() throws Exception {
    test.open(DISK + "8k");
    test.open(WINDOW);
    assertEquals(
        "Node 'disk' is read-only",
        test.reopenRefusal(WINDOW + ",read-only=off", DISK + "8k,read-only=on"));
  }

  @Test
  void windowsThatWouldBeOfOneAnotherAreRefused() throws Exception {
    test.open(DISK + "8k");
    test.open(WINDOW);
    test.open("driver=raw,node-name=other,file=disk");
    assertEquals(
        "Making 'window' a file child of 'other' would create a cycle",
        test.reopenRefusal(
            "driver=raw,node-name=window,file=other", "driver=raw,node-name=other,file=window"));
  }

  @Test
  void aUserIsNotLedToAShorterNode() throws Exception {
    BlockNode disk = test.open(DISK + "8k");
    BlockNode shorter = test.open("driver=null-co,node-name=shorter,size=4k");
    use(disk, TestGraph.READ);
    GraphChange change = new GraphChange();
    change.redirect(disk.parents().getFirst(), shorter);
    assertEquals(
        "Cannot change the size of node 'shorter' from 8192 to 4096 bytes: permission 'resize' is"
            + " unshared by user 'u' (uses node 'shorter' as 'root' child).",
        test.refusal(change::run));
  }

  /** The lanes themselves keep to their range, whatever a node above makes of a request. */
  @Test
  void noRequestLeavesAWindowOrAFileOrADiskOfNothing() throws Exception {
    TestNode below = test.node("below");
    assertStays(test.open("driver=raw,node-name=w,file=below,offset=64k,size=4k"), 4096);
    assertStays(test.open("driver=raw,node-name=v,file=below,size=4k"), 4096);
    assertEquals(0, below.submitted.get());
    assertStays(test.open(DISK + "4k"), 4096);
    Path image = Files.createTempFile(Path.of("target"), "extent", ".raw");
    image.toFile().deleteOnExit();
    Files.write(image, new byte[4096]);
    for (String cache : new String[] {"off", "on"}) {
      assertStays(
          test.open("driver=file,filename=%s,cache.direct=%s".formatted(image, cache)), 4096);
    }
    assertEquals(4096, Files.size(image));
    test.control(test.graph::closeAll);
  }

  private void assertStays(BlockNode node, long length) throws Exception {
    BlockLane lane = test.io0.context().call(() -> node.openLane(test.io0.context()));
    for (Operation operation : Operation.values()) {
      for (long offset : new long[] {length, length - 511, -1, -512, Long.MAX_VALUE - 511}) {
        if (operation != Operation.FLUSH) {
          TestRequest request =
              operation == Operation.READ || operation == Operation.WRITE
                  ? TestRequest.transfer(operation, 0, Io.filled(512, 1))
                  : TestRequest.range(operation, 0, 512);
          test.io0.context().execute(() -> lane.submit(request, offset));
          assertEquals(-Errno.EIO, request.result.join(), operation + " at " + offset);
        }
      }
    }
    test.io0
        .context()
        .call(
            () -> {
              lane.close();
              return null;
            });
  }
}
