// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The same conversation with a monitor and with that of {@code qemu-storage-daemon}. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QmpPeerTest {
  @TempDir Path folder;
  private Process daemon;
  private QmpWorld world;
  private QmpClient theirs;
  private QmpClient ours;

  @BeforeEach
  void connect() throws Exception {
    Path socket = folder.resolve("peer.sock");
    daemon =
        new ProcessBuilder(
                "qemu-storage-daemon",
                "--chardev",
                "socket,id=m,server=on,wait=off,path=" + socket,
                "--monitor",
                "chardev=m")
            .inheritIO()
            .start();
    while (daemon.isAlive() && !Files.exists(socket)) {
      Thread.onSpinWait();
    }
    world = new QmpWorld(folder);
    ours = QmpClient.connect(world.socket);
    theirs = connect(socket);
  }

  /** The socket is there a moment before somebody listens. */
  private QmpClient connect(Path socket) throws IOException {
    while (true) {
      try {
        return QmpClient.connect(socket);
      } catch (IOException e) {
        if (!daemon.isAlive()) {
          throw e;
        }
        Thread.onSpinWait();
      }
    }
  }

  @AfterEach
  void end() throws Exception {
    daemon.destroyForcibly();
    ours.close();
    theirs.close();
    world.close();
  }

  private void assertSame(String text) throws IOException {
    ours.send(text);
    theirs.send(text);
    assertEquals(theirs.reply(), ours.reply(), text);
  }

  /** The same but for the words. */
  private void assertSameClass(String text) throws IOException {
    ours.send(text);
    theirs.send(text);
    JsonNode expected = theirs.reply();
    JsonNode reply = ours.reply();
    assertEquals(
        expected.path("error").path("class"), reply.path("error").path("class"), reply.toString());
    assertEquals(expected.path("id"), reply.path("id"), reply.toString());
  }

  @Test
  void theProtocolIsTheSame() throws Exception {
    assertEquals(
        theirs.greeting().path("QMP").path("capabilities"),
        ours.greeting().path("QMP").path("capabilities"));
    assertSame("{'execute': 'query-version'}");
    assertSameClass("{'execute': 'qmp_capabilities', 'arguments': {'enable': ['x']}}");
    assertSame("{'execute': 'qmp_capabilities', 'arguments': {'enable': 'oob'}}");
    assertSame("{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}, 'id': [1, {}]}");
    assertSame("{'execute': 'qmp_capabilities'}");
    assertSame("{'execute': 'no-such', 'id': 'a'}");
    assertSame("{}");
    assertSame("[]");
    assertSame("\"text\"");
    assertSame("{'execute': 1}");
    assertSame("{'execute': 'query-jobs', 'arguments': 1}");
    assertSame("{'execute': 'query-jobs', 'more': 1}");
    assertSame("{'execute': 'query-jobs', 'arguments': {'more': 1}}");
    assertSame("{'execute': 'job-cancel'}");
    assertSame("{'execute': 'job-cancel', 'arguments': {'id': true}}");
    assertSame("{'execute': 'block-job-set-speed', 'arguments': {'device': 'a', 'speed': 'b'}}");
    assertSame("{'exec-oob': 'query-jobs', 'id': 7}");
    assertSameClass("nonsense");
    assertSameClass("{'execute': }");
    assertSameClass("{'a': 1, 'a': 2}");
  }

  @Test
  void repliesAreTheSame() throws Exception {
    assertSame("{'execute': 'qmp_capabilities'}");
    assertSame("{'execute': 'query-jobs'}");
    assertSame("{'execute': 'query-block-jobs'}");
    assertSame("{'execute': 'query-block-exports'}");
    assertSame("{'execute': 'query-named-block-nodes'}");
    assertSame(
        "{'execute': 'blockdev-add', 'arguments': {'driver': 'null-co', 'node-name': 'a',"
            + " 'size': 1048576}, 'id': 1}");
    assertSame("{'execute': 'blockdev-add', 'arguments': {'driver': 'null-co', 'node-name': 'a'}}");
    assertSameClass("{'execute': 'blockdev-add', 'arguments': {'driver': 'none'}}");
    assertSameClass(
        "{'execute': 'blockdev-add', 'arguments': {'driver': 'null-co', 'node-name': '1'}}");
    assertSame("{'execute': 'blockdev-del', 'arguments': {'node-name': 'other'}}");
    assertSameClass("{'execute': 'job-cancel', 'arguments': {'id': 'j'}}");
    assertSame("{'execute': 'block-job-cancel', 'arguments': {'device': 'j'}}");
    assertSame("{'execute': 'block-job-pause', 'arguments': {'device': 'j'}}");
    assertSame(
        "{'execute': 'block-dirty-bitmap-add', 'arguments': {'node': 'a', 'name': 'b',"
            + " 'granularity': 65536}}");
    assertSame("{'execute': 'block-dirty-bitmap-add', 'arguments': {'node': 'a', 'name': 'b'}}");
    assertSame(
        "{'execute': 'block-dirty-bitmap-disable', 'arguments': {'node': 'a', 'name': 'b'}}");
    assertSame("{'execute': 'block-dirty-bitmap-remove', 'arguments': {'node': 'a', 'name': 'c'}}");
    assertSame("{'execute': 'block-dirty-bitmap-remove', 'arguments': {'node': 'a', 'name': 'b'}}");
    assertSame("{'execute': 'blockdev-del', 'arguments': {'node-name': 'a'}}");
  }

  @Test
  void jobsTellTheSame() throws Exception {
    assertSame("{'execute': 'qmp_capabilities'}");
    for (String name : List.of("from", "to")) {
      assertSame(
          "{'execute': 'blockdev-add', 'arguments': {'driver': 'null-co', 'size': 1048576,"
              + " 'read-zeroes': true, 'node-name': '%s'}}".formatted(name));
    }
    assertSame(
        "{'execute': 'blockdev-mirror', 'arguments': {'job-id': 'j', 'device': 'from',"
            + " 'target': 'to', 'sync': 'full', 'auto-dismiss': false}}");
    List<String> expected = eventsUntil(theirs, "BLOCK_JOB_READY");
    List<String> told = eventsUntil(ours, "BLOCK_JOB_READY");
    assertEquals(expected, told);
    assertSame("{'execute': 'job-dismiss', 'arguments': {'id': 'j'}}");
    assertSame("{'execute': 'job-complete', 'arguments': {'id': 'j'}}");
    assertEquals(eventsUntil(theirs, "concluded"), eventsUntil(ours, "concluded"));
    assertSame("{'execute': 'query-jobs'}");
    assertSame("{'execute': 'job-dismiss', 'arguments': {'id': 'j'}}");
    assertSame("{'execute': 'query-jobs'}");
  }

  private static List<String> eventsUntil(QmpClient client, String last) throws IOException {
    List<String> told = new ArrayList<>();
    while (told.isEmpty() || !told.getLast().contains(last)) {
      JsonNode event = client.event();
      told.add(
          event.path("event").asString() + " " + event.path("data").path("status").asString(""));
    }
    return told;
  }
}
