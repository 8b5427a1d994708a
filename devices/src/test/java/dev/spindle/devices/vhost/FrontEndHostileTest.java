// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.devices.vhost.HandMadeBackEnd.Deed;
import dev.spindle.devices.vhost.VhostUserPayload.Config;
import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.UnixSocket;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Back ends that break the rules harm nobody but the node that they serve. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FrontEndHostileTest {
  private static final Deed NOTHING = backEnd -> {};

  @TempDir Path folder;

  private FrontEndFixture open(String options) throws Exception {
    return new FrontEndFixture(
        "driver=virtio-blk-vhost-user,node-name=disk,path=" + socket() + options, 1);
  }

  private Path socket() {
    return folder.resolve("socket");
  }

  static Stream<Arguments> wrongAnswers() {
    long versionOne = 1L << 32;
    return Stream.of(
        Arguments.of(VhostUserRequest.GET_FEATURES, new Word(0), "it knows only virtio before 1.0"),
        Arguments.of(
            VhostUserRequest.GET_FEATURES,
            new Word(versionOne),
            "it does not tell its configuration"),
        Arguments.of(
            VhostUserRequest.GET_FEATURES,
            new Config(0, 0, new byte[4]),
            "GET_FEATURES: a payload of 16 bytes is no WORD"),
        Arguments.of(
            VhostUserRequest.GET_PROTOCOL_FEATURES,
            new Word(0),
            "it does not tell its configuration"),
        Arguments.of(
            VhostUserRequest.GET_CONFIG,
            new VhostUserPayload.Empty(),
            "GET_CONFIG: a payload of 0 bytes is no CONFIG"),
        Arguments.of(
            VhostUserRequest.GET_CONFIG,
            new Config(0, 0, new byte[8]),
            "its configuration has 8 bytes at 0, not 60 at 0"),
        Arguments.of(
            VhostUserRequest.GET_CONFIG,
            HandMadeBackEnd.config(-1),
            "a capacity of 18446744073709551615 sectors is impossible"),
        Arguments.of(
            VhostUserRequest.GET_CONFIG,
            HandMadeBackEnd.config(1L << 55),
            "a capacity of 36028797018963968 sectors is impossible"));
  }

  @ParameterizedTest
  @MethodSource("wrongAnswers")
  void refusesToOpenWithAWrongAnswer(
      VhostUserRequest request, VhostUserPayload answer, String reason) throws Exception {
    HandMadeBackEnd.Answers answers =
        message ->
            message.request() == request
                ? Optional.of(message.answer(answer, List.of()))
                : Optional.empty();
    try (HandMadeBackEnd backEnd = new HandMadeBackEnd(socket(), answers, NOTHING)) {
      BlockException refusal = assertThrows(BlockException.class, () -> open(""));
      assertEquals(
          "Could not use the vhost-user back end at '" + socket() + "': " + reason,
          refusal.getMessage());
    }
  }

  @Test
  void refusesAnAnswerToSomethingElse() throws Exception {
    HandMadeBackEnd.Answers answers =
        message ->
            message.request() == VhostUserRequest.GET_CONFIG
                ? Optional.of(
                    new VhostUserMessage(
                        VhostUserRequest.GET_STATUS, true, false, new Word(0), List.of()))
                : Optional.empty();
    try (HandMadeBackEnd backEnd = new HandMadeBackEnd(socket(), answers, NOTHING)) {
      BlockException refusal = assertThrows(BlockException.class, () -> open(""));
      assertEquals(
          "Could not use the vhost-user back end at '"
              + socket()
              + "': an answer to GET_STATUS, not to GET_CONFIG",
          refusal.getMessage());
    }
  }

  static Stream<Arguments> misdeeds() {
    return Stream.of(
        Arguments.of("an id never offered", (Deed) backEnd -> backEnd.use(0, 77, 1, 1)),
        Arguments.of("an id out of range", (Deed) backEnd -> backEnd.use(0, 1 << 20, 1, 1)),
        Arguments.of("a negative id", (Deed) backEnd -> backEnd.use(0, -1, 1, 1)),
        Arguments.of(
            "the same id twice",
            (Deed)
                backEnd -> {
                  int head = backEnd.available(0);
                  backEnd.use(1, head, 1, 0);
                  backEnd.use(0, head, 1, 2);
                }),
        Arguments.of(
            "more than is on its way",
            (Deed) backEnd -> backEnd.use(0, backEnd.available(0), 1, 0x8000)),
        Arguments.of("too long", (Deed) backEnd -> backEnd.use(0, backEnd.available(0), 4098, 1)),
        Arguments.of(
            "much too long", (Deed) backEnd -> backEnd.use(0, backEnd.available(0), -1, 1)),
        Arguments.of("4 GiB on its channel", (Deed) backEnd -> backEnd.say(3, -1)),
        Arguments.of(
            "a reply that nobody has asked for",
            (Deed)
                backEnd ->
                    backEnd.send(
                        new VhostUserMessage(
                            VhostUserRequest.GET_FEATURES, true, false, new Word(0), List.of()))));
  }

  /** Even one whose requests would wait for it to come back. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("misdeeds")
  void leavesABackEndThatBreaksTheRulesForGood(String name, Deed misdeed) throws Exception {
    try (HandMadeBackEnd backEnd =
            new HandMadeBackEnd(socket(), message -> Optional.empty(), misdeed);
        FrontEndFixture disk = open(",reconnect-delay=1000")) {
      assertEquals(HandMadeBackEnd.SECTORS * 512L, disk.node.length());
      FrontEndFixture.Request read =
          new FrontEndFixture.Request(Operation.READ, 0, 4096)
              .buffer(FrontEndFixture.bytes(new byte[4096]));
      assertEquals(-Errno.EIO, disk.run(0, read));
      FrontEndFixture.Request write =
          new FrontEndFixture.Request(Operation.WRITE, 0, 4096)
              .buffer(FrontEndFixture.bytes(new byte[4096]));
      assertEquals(-Errno.EIO, disk.run(0, write));
      assertEquals(1, backEnd.connections.get());
    }
  }

  @Test
  void failsARequestWhoseStatusNobodyHasWritten() throws Exception {
    try (HandMadeBackEnd backEnd =
            new HandMadeBackEnd(
                socket(),
                message -> Optional.empty(),
                its -> its.use(0, its.available(0), 4097, 1));
        FrontEndFixture disk = open("")) {
      FrontEndFixture.Request read =
          new FrontEndFixture.Request(Operation.READ, 0, 4096)
              .buffer(FrontEndFixture.bytes(new byte[4096]));
      assertEquals(-Errno.EIO, disk.run(0, read));
      assertEquals(1, backEnd.connections.get());
    }
  }

  /** It fills the eventfd that it is kicked by, and has a write to that wait. */
  @Test
  void goesOnThoughTheKickWouldBlock() throws Exception {
    CountDownLatch filled = new CountDownLatch(1);
    Deed misdeed =
        backEnd -> {
          backEnd.fillKick();
          filled.countDown();
        };
    try (HandMadeBackEnd backEnd =
            new HandMadeBackEnd(socket(), message -> Optional.empty(), misdeed);
        FrontEndFixture disk = open("")) {
      FrontEndFixture.Request first = disk.send(0, read());
      filled.await();
      FrontEndFixture.Request second = disk.send(0, read());
      // Behind the second one, whose kick comes at the end of its turn.
      disk.lanes.getFirst().context().call(() -> null);
      disk.lanes.getFirst().context().call(() -> null);
      backEnd.hangUp();
      assertEquals(-Errno.EIO, first.result.join());
      assertEquals(-Errno.EIO, second.result.join());
    }
  }

  private static FrontEndFixture.Request read() {
    return new FrontEndFixture.Request(Operation.READ, 0, 4096)
        .buffer(FrontEndFixture.bytes(new byte[4096]));
  }

  private void assertNotServed(String reason) {
    BlockException refusal = assertThrows(BlockException.class, () -> open(",open-timeout=1"));
    assertEquals(
        "Could not use the vhost-user back end at '"
            + socket()
            + "' within 1 s: "
            + reason
            + "; it may be serving somebody else",
        refusal.getMessage());
  }

  @Test
  void givesUpABackEndThatServesSomebodyElse() throws Exception {
    try (UnixSocket busy = UnixSocket.listen(socket(), UnixSocket.Type.STREAM, 0)) {
      assertNotServed("it does not answer GET_FEATURES");
      List<UnixSocket> others = new ArrayList<>();
      assertThrows(
          LinuxException.class,
          () -> {
            while (true) {
              others.add(UnixSocket.connect(socket(), UnixSocket.Type.STREAM));
            }
          });
      assertNotServed("it accepts nobody");
      others.forEach(UnixSocket::close);
    }
  }

  @Test
  void givesUpABackEndThatDoesNotEndItsAnswer() throws Exception {
    try (UnixSocket listening = UnixSocket.listen(socket(), UnixSocket.Type.STREAM, 1)) {
      Thread halfHearted =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try (UnixSocket stream = listening.accept();
                        Arena arena = Arena.ofConfined()) {
                      stream.send(arena.allocate(5), List.of());
                      while (stream.receive(arena.allocate(64), 0).bytes() > 0) {
                        // Until the front end leaves.
                      }
                    } catch (LinuxException e) {
                      throw new IllegalStateException(e);
                    }
                  });
      assertNotServed("it does not answer GET_FEATURES");
      halfHearted.join();
    }
  }

  /** Requests fail when they have waited long enough, though somebody has accepted by then. */
  @Test
  void failsRequestsWhileABackEndServesSomebodyElse() throws Exception {
    CountDownLatch kicked = new CountDownLatch(1);
    HandMadeBackEnd backEnd =
        new HandMadeBackEnd(
            socket(),
            message -> Optional.empty(),
            its -> {
              kicked.countDown();
              its.hangUp();
            });
    try (FrontEndFixture disk = open(",reconnect-delay=1")) {
      backEnd.stopAccepting();
      assertEquals(-Errno.EIO, disk.run(0, read()));
      assertEquals(0, kicked.getCount());
    } finally {
      backEnd.close();
    }
  }

  @Test
  void showsAnotherLengthOnceItIsReopened() throws Exception {
    try (HandMadeBackEnd backEnd =
            new HandMadeBackEnd(socket(), message -> Optional.empty(), NOTHING);
        FrontEndFixture disk = open("")) {
      backEnd.resize(4096);
      // The node hears of that when it does: each reopening looks.
      while (disk.node.length() != 4096 * 512) {
        disk.mainLoop.<Void, Exception>control(
            "reopen",
            () -> {
              disk.graph.reopen(
                  List.of(
                      FrontEndFixture.options(
                          "driver=virtio-blk-vhost-user,node-name=disk,path=" + socket())));
              return null;
            });
      }
      assertEquals(1, backEnd.connections.get());
    }
  }
}
