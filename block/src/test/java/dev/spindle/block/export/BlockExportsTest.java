// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BlockExportsTest {
  private final List<String> closed = Collections.synchronizedList(new ArrayList<>());

  /** When the requests end that exports wait for whose name begins so. */
  private final CompletableFuture<Void> hanging = new CompletableFuture<>();

  private TestGraph world;
  private BlockExports exports;
  private BlockNode node;

  /** An export to nobody. */
  private final class TestExport implements BlockExport {
    private final ExportSite site;
    private final BlockBackend backend;

    TestExport(ExportSite site) throws BlockException {
      this.site = site;
      this.backend = site.openBackend(this);
    }

    @Override
    public ExportSite site() {
      return site;
    }

    @Override
    public void prepareContextChange(AioContext target, ContextChange change) {}

    @Override
    public String type() {
      return "test";
    }

    @Override
    public BlockBackend backend() {
      return backend;
    }

    @Override
    public boolean isInUse() {
      return id().startsWith("used");
    }

    @Override
    public CompletableFuture<Void> stop() {
      return id().startsWith("hangs") ? hanging : CompletableFuture.completedFuture(null);
    }

    @Override
    public void close() {
      closed.add(id());
    }
  }

  private final class TestType implements ExportType {
    @Override
    public String name() {
      return "test";
    }

    @Override
    public Description read(Options options) throws OptionException {
      boolean fails = options.bool("fails", false);
      return site -> {
        TestExport export = new TestExport(site);
        if (fails) {
          export.backend().close();
          throw new BlockException("it fails");
        }
        return export;
      };
    }
  }

  @BeforeEach
  void makeWorld() throws Exception {
    world = new TestGraph();
    ContextFinder threads =
        id ->
            switch (id) {
              case "io0" -> world.io0.context();
              case "io1" -> world.io1.context();
              default -> throw new BlockException("Cannot find iothread " + id);
            };
    exports =
        new BlockExports(world.mainLoop, world.graph, threads, Map.of("test", new TestType()));
    node = world.open("driver=null-co,node-name=disk,size=1M");
    world.open("driver=null-co,node-name=rom,size=1M,read-only=on");
  }

  @AfterEach
  void endWorld() throws Exception {
    exports.closeAll();
    world.close();
  }

  private BlockExport export(String description) throws Exception {
    return world.get(
        () ->
            exports.open(
                new Options("--export", KeyValues.parse("--export", description, "type"))));
  }

  private void assertRefused(String sentence, String description) {
    Exception refusal = assertThrows(Exception.class, () -> export(description));
    assertEquals(sentence, refusal.getMessage());
  }

  @Test
  void anExportUsesItsNodeInTheIothreadThatTheUserNames() throws Exception {
    BlockExport export = export("test,id=e,node-name=disk,writable=on,iothread=io1");
    assertSame(world.io1.context(), node.context());
    assertEquals("consistent read, write", uses());
    world.control(() -> assertSame(export, exports.find("e")));
    exports.close("e");
    assertSame(world.mainLoop.context(), node.context(), "nobody uses the node: it goes home");
    assertEquals(List.of("e"), closed);
    assertRefusedLookup();
  }

  private String uses() throws Exception {
    return world.get(() -> Permission.words(EnumSet.copyOf(node.parents().getFirst().used())));
  }

  private void assertRefusedLookup() {
    BlockException refusal =
        assertThrows(
            BlockException.class, () -> world.mainLoop.control("find", () -> exports.find("e")));
    assertEquals("Export 'e' is not found", refusal.getMessage());
  }

  @Test
  void clientsMayWriteOnlyIfTheUserSaysSo() throws Exception {
    export("test,id=e,node-name=disk");
    assertEquals("consistent read", uses());
    assertEquals(false, exports.all().getFirst().writable());
  }

  @Test
  void anExportFollowsItsNodeUnlessItsIothreadIsFixed() throws Exception {
    export("test,id=e,node-name=disk,iothread=io0");
    world.control(() -> ContextChange.run(node, world.io1.context()));
    assertSame(world.io1.context(), node.context());
    exports.close("e");

    export("test,id=f,node-name=disk,iothread=io0,fixed-iothread=on");
    BlockException refusal =
        assertThrows(
            BlockException.class,
            () -> world.control(() -> ContextChange.run(node, world.io1.context())));
    assertEquals("Changing iothreads is not supported by export 'f'", refusal.getMessage());
    assertSame(world.io0.context(), node.context());
  }

  @Test
  void anIothreadIsAWishUnlessItIsFixed() throws Exception {
    export("test,id=e,node-name=disk,iothread=io0,fixed-iothread=on");
    export("test,id=f,node-name=disk,iothread=io1");
    assertSame(world.io0.context(), node.context());
    assertRefused(
        "Changing iothreads is not supported by export 'e'",
        "test,id=g,node-name=disk,iothread=io1,fixed-iothread=on");
    assertEquals(2, exports.all().size());
  }

  @Test
  void whatIsWrongIsNamedAndLeavesNothing() throws Exception {
    assertRefused("--export: unknown export type 'tset' (did you mean 'test'?)", "tset,id=e");
    assertRefused("--export: parameter 'id' is missing", "test,node-name=disk");
    assertRefused("--export: parameter 'node-name' is missing", "test,id=e");
    assertRefused(
        "--export: Invalid block export id '1' (a letter, then letters, digits, '-', '.' or '_')",
        "test,id=1,node-name=disk");
    assertRefused("--export: unknown parameter 'speed'", "test,id=e,node-name=disk,speed=1");
    assertRefused("Cannot find iothread io7", "test,id=e,node-name=disk,iothread=io7");
    assertRefused(
        "Failed to find node with node-name='dikk' (did you mean 'disk'?)",
        "test,id=e,node-name=dikk");
    assertRefused("it fails", "test,id=e,node-name=disk,iothread=io1,fails=on");
    assertSame(world.mainLoop.context(), node.context());
    assertThrows(
        BlockException.class, () -> export("test,id=e,node-name=rom,writable=on,iothread=io1"));
    world.control(() -> assertSame(world.mainLoop.context(), world.graph.find("rom").context()));
    export("test,id=e,node-name=disk");
    assertRefused("Block export id 'e' is already in use", "test,id=e,node-name=disk");
    assertEquals(1, exports.all().size());
  }

  @Test
  void allEndAndThenTheirServers() throws Exception {
    export("test,id=a,node-name=disk");
    export("test,id=b,node-name=disk,writable=on");
    world.control(
        () ->
            exports.addServer(
                new ExportServer() {
                  @Override
                  public String describe() {
                    return "test server";
                  }

                  @Override
                  public void stopListening() {
                    closed.add("listening");
                  }

                  @Override
                  public void close() {
                    closed.add("server");
                  }
                }));
    List<String> steps = new ArrayList<>();
    exports.closeAll(steps::add);
    assertEquals("listening", closed.getFirst());
    assertEquals(Set.of("a", "b"), Set.copyOf(closed.subList(1, 3)));
    assertEquals("server", closed.getLast());
    assertEquals(4, closed.size());
    assertEquals(
        List.of(
            "closing the test server",
            "closing export 'b' of node 'disk', export 'a' of node 'disk'"),
        steps.subList(0, 2));
    assertEquals("closing the test server", steps.getLast());
    world.control(() -> assertEquals(List.of(), exports.unflushed()));
    assertEquals(List.of(), exports.all());
    assertEquals(0, node.parents().size());
  }

  @Test
  void oneThatHangsKeepsNobodyElse() throws Exception {
    export("test,id=first,node-name=disk,writable=on");
    export("test,id=hangs,node-name=disk");
    export("test,id=last,node-name=rom");
    Queue<String> steps = new ConcurrentLinkedQueue<>();
    CompletableFuture<Void> end = CompletableFuture.runAsync(() -> exports.closeAll(steps::add));
    while (!steps.contains("closing export 'hangs' of node 'disk'")) {
      Thread.onSpinWait();
    }
    assertEquals(Set.of("first", "last"), Set.copyOf(closed));
    assertEquals(
        List.of("hangs"), world.get(() -> exports.all().stream().map(BlockExport::id).toList()));
    assertEquals("consistent read", uses(), "the others have let go of the node");
    BlockException refusal = assertThrows(BlockException.class, () -> exports.close("hangs"));
    assertEquals("Export 'hangs' is already shutting down", refusal.getMessage());
    assertFalse(end.isDone());
    hanging.complete(null);
    end.join();
    assertEquals(List.of(), exports.all());
  }

  /** It would wait for the lock that its caller has. */
  @Test
  void controlWorkDoesNotWaitForAnEnd() throws Exception {
    export("test,id=e,node-name=disk");
    assertThrows(IllegalStateException.class, () -> world.control(() -> exports.close("e")));
    assertThrows(IllegalStateException.class, () -> world.control(exports::closeAll));
  }

  /** Nobody but the client waits for that, and he has been answered already. */
  @Test
  void whatCannotBeMadeDurableInTheEndIsSaid() throws Exception {
    world.open(
        "driver=blkdebug,node-name=broken,inject-error.0.iotype=flush,inject-error.0.event=none,"
            + "image=disk");
    export("test,id=e,node-name=broken,writable=on");
    exports.closeAll();
    world.control(
        () ->
            assertEquals(
                List.of(
                    "what clients of export 'e' wrote to node 'broken' may be lost: flushing it"
                        + " failed: Input/output error"),
                exports.unflushed()));
  }
}
