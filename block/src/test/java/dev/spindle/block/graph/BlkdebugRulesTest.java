// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.options.OptionException;
import dev.spindle.linux.Errno;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the rules and breakpoints of {@code driver=blkdebug} do to requests. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BlkdebugRulesTest extends GraphFixture {
  private LayerDisk disk;

  @BeforeEach
  void start() throws Exception {
    disk = LayerDisk.add(test, "disk", null).fill(0, 128, 7);
  }

  /** As a format stands on it, which tells it what it is doing. */
  private Io underRaw(String rules) throws Exception {
    return new Io(
        test, "driver=raw,node-name=top,file.driver=blkdebug,file.image=disk" + prefixed(rules));
  }

  private static String prefixed(String rules) {
    return rules.replace(",", ",file.");
  }

  private Io alone(String rules) throws Exception {
    return new Io(test, "driver=blkdebug,node-name=top,image=disk" + rules);
  }

  @Test
  void withoutRulesEverythingPasses() throws Exception {
    Io io = underRaw("");
    assertEquals(0, io.write(512, 512, 9));
    assertArrayEquals(Io.repeated(512, 9), io.bytes(512, 512));
    assertEquals(0, io.range(Operation.FLUSH, 0, 0));
    assertEquals(List.of("WRITE 512+512", "READ 512+512", "FLUSH 0+0"), disk.requests);
  }

  @Test
  void anErrorIsInjectedFromItsEventOn() throws Exception {
    Io io = underRaw(",inject-error.0.event=read_aio,inject-error.0.errno=28");
    // Nothing fails before the first event, and from then on everything does.
    assertEquals(0, io.write(0, 512, 1));
    assertEquals(-Errno.ENOSPC, io.read(0, 512));
    assertEquals(-Errno.ENOSPC, io.write(0, 512, 2));
    assertEquals(List.of("WRITE 0+512"), disk.requests);
  }

  @Test
  void onceMeansOnce() throws Exception {
    Io io = underRaw(",inject-error.0.event=read_aio,inject-error.0.once=on");
    assertEquals(-Errno.EIO, io.read(0, 512));
    assertEquals(0, io.read(0, 512));
    assertEquals(0, io.read(0, 512));
  }

  @Test
  void onlyRequestsOnTheSectorFail() throws Exception {
    Io io = underRaw(",inject-error.0.event=read_aio,inject-error.0.sector=2");
    assertEquals(0, io.read(0, 1024));
    assertEquals(-Errno.EIO, io.read(1024, 512));
    assertEquals(-Errno.EIO, io.read(0, 4096));
    assertEquals(-Errno.EIO, io.read(1535, 1));
    assertEquals(0, io.read(1536, 512));
    assertEquals(0, io.range(Operation.FLUSH, 0, 0), "a flush is on no sector");
  }

  @Test
  void onlyRequestsOfTheTypeFail() throws Exception {
    for (Operation failing : Operation.values()) {
      String type = failing.name().toLowerCase(Locale.ROOT).replace('_', '-');
      Io io =
          new Io(
              test,
              "driver=blkdebug,image=disk,inject-error.0.event=none,inject-error.0.iotype=" + type);
      assertEquals(failing == Operation.READ ? -Errno.EIO : 0, io.read(0, 512));
      assertEquals(failing == Operation.WRITE ? -Errno.EIO : 0, io.write(0, 512, 1));
      for (Operation range :
          new Operation[] {Operation.WRITE_ZEROES, Operation.DISCARD, Operation.FLUSH}) {
        long length = range == Operation.FLUSH ? 0 : 512;
        assertEquals(failing == range ? -Errno.EIO : 0, io.range(range, 0, length));
      }
    }
  }

  @Test
  void statesDecideWhichRulesCount() throws Exception {
    Io io =
        underRaw(
            ",inject-error.0.event=read_aio,inject-error.0.state=2,inject-error.0.once=on"
                + ",set-state.0.event=write_aio,set-state.0.state=1,set-state.0.new_state=2"
                + ",set-state.1.event=flush_to_disk,set-state.1.new_state=3"
                + ",inject-error.1.event=write_aio,inject-error.1.state=3,inject-error.1.errno=1");
    assertEquals(0, io.read(0, 512));
    assertEquals(0, io.write(0, 512, 1));
    assertEquals(-Errno.EIO, io.read(0, 512));
    assertEquals(0, io.write(0, 512, 1));
    assertEquals(0, io.range(Operation.FLUSH, 0, 0));
    assertEquals(-Errno.EPERM, io.write(0, 512, 1));
  }

  /** Rules of one event and the next one's take each other's place. */
  @Test
  void aLaterEventReplacesWhatIsInjected() throws Exception {
    Io io =
        underRaw(
            ",inject-error.0.event=read_aio,inject-error.0.errno=1"
                + ",inject-error.1.event=write_aio,inject-error.1.errno=2"
                + ",inject-error.1.iotype=write");
    assertEquals(-1, io.read(0, 512));
    assertEquals(-1, io.range(Operation.WRITE_ZEROES, 0, 512));
    assertEquals(-2, io.write(0, 512, 1));
    assertEquals(0, io.range(Operation.WRITE_ZEROES, 0, 512));
  }

  @Test
  void immediatelyMeansWithinTheSubmission() throws Exception {
    for (boolean immediately : new boolean[] {true, false}) {
      Io io =
          new Io(
              test,
              "driver=blkdebug,image=disk,inject-error.0.event=none,inject-error.0.immediately="
                  + (immediately ? "on" : "off"));
      TestRequest request = TestRequest.range(Operation.FLUSH, 0, 0);
      boolean within =
          io.lane
              .context()
              .call(
                  () -> {
                    io.lane.submit(request);
                    return request.result.isDone();
                  });
      assertEquals(immediately, within);
      assertEquals(-Errno.EIO, request.result.join());
    }
  }

  @Test
  void aBreakpointSuspendsOneRequestUntilItIsResumed() throws Exception {
    Io io = underRaw("");
    Breakpoints breakpoints = test.get(() -> Breakpoints.of(io.node));
    breakpoints.breakOn(BlkdebugEvent.WRITE_AIO, "A");
    assertFalse(breakpoints.isSuspended("A"));
    TestRequest first = io.startWrite(0, 512, 1);
    breakpoints.awaitSuspended("A");
    assertEquals(0, io.write(512, 512, 2), "a second one was suspended as well");
    assertFalse(first.result.isDone());
    assertEquals(List.of("WRITE 512+512"), disk.requests);
    breakpoints.resume("A");
    assertEquals(0, first.result.join());
    assertEquals(List.of("WRITE 512+512", "WRITE 0+512"), disk.requests);
    assertEquals(
        "No request is suspended with tag 'A'",
        assertThrows(BlockException.class, () -> breakpoints.resume("A")).getMessage());
  }

  @Test
  void twoBreakpointsHoldOneRequestUntilBothLetGo() throws Exception {
    Io io = underRaw("");
    Breakpoints breakpoints = test.get(() -> Breakpoints.of(io.node));
    breakpoints.breakOn(BlkdebugEvent.FLUSH_TO_OS, "A");
    breakpoints.breakOn(BlkdebugEvent.FLUSH_TO_OS, "B");
    breakpoints.breakOn(BlkdebugEvent.FLUSH_TO_DISK, "C");
    TestRequest flush = io.send(TestRequest.range(Operation.FLUSH, 0, 0));
    breakpoints.resume("A");
    assertTrue(breakpoints.isSuspended("B"));
    breakpoints.resume("B");
    breakpoints.awaitSuspended("C");
    assertEquals(List.of(), disk.requests);
    breakpoints.removeBreak("C");
    assertEquals(0, flush.result.join());
  }

  @Test
  void removingABreakpointFreesWhoIsSuspendedAndWhoWouldBe() throws Exception {
    Io io = underRaw("");
    Breakpoints breakpoints = test.get(() -> Breakpoints.of(io.node));
    for (int i = 0; i < 3; i++) {
      breakpoints.breakOn(BlkdebugEvent.READ_AIO, "A");
    }
    // One request meets all three.
    TestRequest read = io.send(TestRequest.transfer(Operation.READ, 0, Io.memory(512)));
    breakpoints.breakOn(BlkdebugEvent.READ_AIO, "A");
    breakpoints.removeBreak("A");
    assertEquals(0, read.result.join());
    assertEquals(0, io.read(0, 512));
    assertEquals(
        "There is no breakpoint with tag 'A'",
        assertThrows(BlockException.class, () -> breakpoints.removeBreak("A")).getMessage());
    BlockException none =
        assertThrows(BlockException.class, () -> test.get(() -> Breakpoints.of(disk)));
    assertEquals("Node 'disk' has no blkdebug node at or below it", none.getMessage());
  }

  @Test
  void whoDrainsWaitsForASuspendedRequest() throws Exception {
    Io io = underRaw("");
    Breakpoints breakpoints = test.get(() -> Breakpoints.of(io.node));
    breakpoints.breakOn(BlkdebugEvent.READ_AIO, "A");
    TestRequest read = io.send(TestRequest.transfer(Operation.READ, 0, Io.memory(512)));
    breakpoints.awaitSuspended("A");
    CompletableFuture<Boolean> drained =
        test.mainLoop.start(
            "drain",
            () -> {
              DrainedSection.begin(disk).close();
              return read.result.isDone();
            });
    assertFalse(drained.isDone());
    breakpoints.resume("A");
    assertTrue(drained.join());
  }

  @Test
  void aWriteIsDoneWhenItIsDone() throws Exception {
    Io io = alone("");
    Breakpoints breakpoints = test.get(() -> Breakpoints.of(io.node));
    breakpoints.breakOn(BlkdebugEvent.PWRITEV_DONE, "done");
    breakpoints.breakOn(BlkdebugEvent.PWRITEV, "before");
    TestRequest write = io.startWrite(0, 1024, 3);
    breakpoints.awaitSuspended("before");
    assertEquals(List.of(), disk.requests);
    breakpoints.resume("before");
    breakpoints.awaitSuspended("done");
    assertEquals(List.of("WRITE 0+1024"), disk.requests);
    assertFalse(write.result.isDone());
    breakpoints.resume("done");
    assertEquals(0, write.result.join());
    breakpoints.breakOn(BlkdebugEvent.PWRITEV_ZERO, "zero");
    TestRequest zeroes = io.send(TestRequest.range(Operation.WRITE_ZEROES, 0, 512));
    breakpoints.awaitSuspended("zero");
    breakpoints.resume("zero");
    assertEquals(0, zeroes.result.join());
  }

  @Test
  void rulesComeOutOfAFileToo(@TempDir Path folder) throws Exception {
    Path config = folder.resolve("rules.conf");
    Files.writeString(
        config,
        """
        # the first write is refused
        [inject-error "first"]
        event = "write_aio"
        errno = "28"
        once = "on"

        [set-state]
          event = "read_aio"
          new_state = "5"
        """);
    Io io =
        underRaw(",config=" + config + ",inject-error.0.event=flush_to_os,inject-error.0.state=5");
    assertEquals(-Errno.ENOSPC, io.write(0, 512, 1));
    assertEquals(0, io.write(0, 512, 1));
    assertEquals(0, io.range(Operation.FLUSH, 0, 0));
    assertEquals(0, io.read(0, 512));
    assertEquals(-Errno.EIO, io.range(Operation.FLUSH, 0, 0));

    Files.writeString(config, "[inject-error]\nevent = read_aio\n");
    refused(
        "'%s' line 2: expected key = \"value\", not 'event = read_aio'".formatted(config),
        ",config=" + config);
    Files.writeString(config, "[inject]\nevent = \"read_aio\"\n");
    refused(
        "'%s': section [inject], expected [inject-error] or [set-state]".formatted(config),
        ",config=" + config);
    Files.writeString(config, "[inject-error]\nevent = \"read_aio\"\nerror = \"5\"\n");
    refused(
        "'%s' [inject-error]: unknown parameter 'error'".formatted(config), ",config=" + config);
  }

  @Test
  void badOptionsAreNamed() {
    refused("--blockdev: inject-error: 0: parameter 'event' is missing", ",inject-error.0.errno=5");
    refused(
        "--blockdev: inject-error.1 is given, but not 0: they are numbered from 0 on",
        ",inject-error.1.event=none");
    refused(
        "--blockdev: set-state: 0: parameter 'new_state' is missing", ",set-state.0.event=none");
    refused("--blockdev: Cannot meet constraints with align 3000", ",align=3000");
    refused("--blockdev: Cannot meet constraints with align 4294967296", ",align=4G");
    refused(
        "--blockdev: Cannot meet constraints with max-transfer 5000",
        ",align=4k,max-transfer=5000");
    refused(
        "--blockdev: Cannot meet constraints with max-discard 5120",
        ",opt-discard=4096,max-discard=5120");
    refused(
        "--blockdev: inject-error: 0: parameter 'event' is 'read_aoi' (did you mean 'read_aio'?)",
        ",inject-error.0.event=read_aoi");
    assertTrue(
        refusal(",inject-error.0.event=reading")
            .getMessage()
            .startsWith(
                "--blockdev: inject-error: 0: parameter 'event' is 'reading', expected one of"
                    + " l1_update, l1_grow_alloc_table,"));
  }

  private Exception refusal(String rules) {
    return assertThrows(
        Exception.class,
        () -> test.get(() -> test.graph.open(Disk.options("driver=blkdebug,image=disk" + rules))));
  }

  private void refused(String sentence, String rules) {
    Exception refusal = refusal(rules);
    assertEquals(sentence, refusal.getMessage());
    assertTrue(refusal instanceof OptionException);
  }

  @Test
  void permissionsAreTakenAndUnsharedAsAsked() throws Exception {
    test.get(
        () ->
            test.graph.open(
                Disk.options(
                    "driver=blkdebug,node-name=d,image=disk,take-child-perms.0=write"
                        + ",unshare-child-perms.0=resize,unshare-child-perms.1=write")));
    BlockEdge link = disk.parents().getFirst();
    assertEquals(Set.of(Permission.WRITE), link.used());
    assertEquals(Set.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED), link.shared());
    refused(
        "--blockdev: take-child-perms: parameter '0' is 'wr', expected one of consistent-read,"
            + " write, write-unchanged, resize",
        ",take-child-perms.0=wr");
  }
}
