// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
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
    if (world != null) {
      daemon.destroyForcibly().waitFor();
      ours.close();
      theirs.close();
      world.close();
      world = null;
    }
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

  /** The same, of something at a socket that is each one's own. */
  private void assertSameAtSocket(String text) throws IOException {
    ours.send(text.replace("SOCKET", folder.resolve("ours.sock").toString()));
    theirs.send(text.replace("SOCKET", folder.resolve("theirs.sock").toString()));
    assertEquals(theirs.reply(), ours.reply(), text);
  }

  private static final String START =
      "{'execute': 'nbd-server-start', 'arguments': {'addr': {'type': 'unix', 'data': {'path':"
          + " 'SOCKET'}}, 'max-connections': 5}}";

  private static String call(String command, String arguments) {
    return "{'execute': '%s', 'arguments': {%s}}".formatted(command, arguments);
  }

  @Test
  void anNbdServerStartsAndStopsTheSame() throws Exception {
    assertSame("{'execute': 'qmp_capabilities'}");
    assertSame(call("blockdev-add", "'driver': 'null-co', 'size': 1048576, 'node-name': 'n'"));
    assertSame(
        call(
            "blockdev-add",
            "'driver': 'null-co', 'size': 1048576, 'node-name': 'rom', 'read-only': true"));
    assertSame(call("nbd-server-add", "'device': 'n'"));
    assertSame("{'execute': 'nbd-server-stop'}");
    assertSame(call("nbd-server-remove", "'name': 'n'"));
    assertSameClass(call("block-export-add", "'type': 'nbd', 'id': 'e', 'node-name': 'n'"));
    assertSameClass(
        call("blockdev-add", "'driver': 'null-co', 'node-name': 'typed', 'read-only': 'on'"));
    assertSame("{'execute': 'nbd-server-start'}");
    assertSameClass(call("nbd-server-start", "'addr': {'type': 'unix', 'data': {}}"));
    assertSameClass(call("nbd-server-start", "'addr': {'type': 'pipe', 'data': {'path': 'x'}}"));
    assertSameClass(
        call("nbd-server-start", "'addr': {'type': 'inet', 'data': {'host': 'localhost'}}"));
    assertSameClass(
        call("nbd-server-start", "'addr': {'type': 'unix', 'data': {'path': '/no/folder/x'}}"));
    assertSameAtSocket(START);
    assertSameAtSocket(START);
    assertSameClass(call("nbd-server-add", "'device': 'none'"));
    assertSame(call("nbd-server-add", "'device': 'n', 'name': 'x', 'writable': true"));
    assertSame(call("nbd-server-add", "'device': 'rom', 'writable': true"));
    assertSame(call("nbd-server-add", "'device': 'n', 'name': 'x'"));
    assertSameClass(call("nbd-server-add", "'device': 'n', 'bitmap': 'none'"));
    assertSame(call("block-export-add", "'type': 'nbd', 'id': 'e', 'node-name': 'n', 'name': 'x'"));
    assertSame(call("block-export-add", "'type': 'nbd', 'id': 'e', 'node-name': 'n'"));
    assertSame("{'execute': 'query-block-exports'}");
    assertSame(call("nbd-server-remove", "'name': 'e'"));
    assertSameEvent();
    assertSame("{'execute': 'nbd-server-stop'}");
    // In no order that QEMU promises.
    assertEquals(
        Set.of(theirs.event().get("data"), theirs.event().get("data")),
        Set.of(ours.event().get("data"), ours.event().get("data")));
    assertSame("{'execute': 'query-block-exports'}");
    assertSame("{'execute': 'nbd-server-stop'}");
    assertSameAtSocket(START);
  }

  private void assertSameEvent() throws IOException {
    JsonNode expected = theirs.event();
    JsonNode told = ours.event();
    assertEquals(expected.get("event"), told.get("event"));
    assertEquals(expected.get("data"), told.get("data"));
  }

  @Test
  void anExportThatIsUsedIsSparedTheSame() throws Exception {
    assertSame("{'execute': 'qmp_capabilities'}");
    assertSame(call("blockdev-add", "'driver': 'null-co', 'size': 1048576, 'node-name': 'n'"));
    assertSameAtSocket(START);
    assertSame(call("block-export-add", "'type': 'nbd', 'id': 'e', 'node-name': 'n'"));
    assertSameAtSocket(
        call(
            "block-export-add",
            "'type': 'vhost-user-blk', 'id': 'v', 'node-name': 'n', 'addr': {'type': 'unix',"
                + " 'path': 'SOCKET.v'}"));
    try (SocketChannel our = nbdClient("ours.sock");
        SocketChannel their = nbdClient("theirs.sock")) {
      assertSame(call("block-export-del", "'id': 'e'"));
      assertSame(call("nbd-server-remove", "'name': 'e', 'mode': 'safe'"));
      assertSameClass(call("block-export-del", "'id': 'e', 'mode': 'other'"));
      assertSame("{'execute': 'query-block-exports'}");
      read(our);
      read(their);
      assertSame(call("block-export-del", "'id': 'e', 'mode': 'hard'"));
      assertEquals(-1, our.read(ByteBuffer.allocate(1)));
      assertEquals(-1, their.read(ByteBuffer.allocate(1)));
    }
    assertSame(call("nbd-server-remove", "'name': 'v'"));
    assertSame(call("block-export-del", "'id': 'v'"));
    assertSame(call("block-export-del", "'id': 'v'"));
  }

  /** Has chosen the export, which has answered it. */
  private SocketChannel nbdClient(String socket) throws IOException {
    SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve(socket)));
    receive(client, 18);
    // No zeroes after the export's description; EXPORT_NAME, of one byte.
    send(
        client,
        ByteBuffer.allocate(21)
            .putInt(3)
            .putLong(0x49484156454F5054L)
            .putInt(1)
            .putInt(1)
            .put((byte) 'n'));
    receive(client, 10);
    read(client);
    return client;
  }

  private static void read(SocketChannel client) throws IOException {
    send(client, ByteBuffer.allocate(28).putInt(0x25609513).position(24).putInt(512));
    receive(client, 16 + 512);
  }

  private static void send(SocketChannel client, ByteBuffer bytes) throws IOException {
    client.write(bytes.flip());
  }

  private static void receive(SocketChannel client, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    while (buffer.hasRemaining() && client.read(buffer) >= 0) {}
    assertFalse(buffer.hasRemaining());
  }

  /** The same, of images in a folder that is each one's own. */
  private void assertSameInFolder(String text) throws IOException {
    sendInFolders(text);
    assertEquals(theirs.reply(), ours.reply(), text);
  }

  private void sendInFolders(String text) throws IOException {
    ours.send(text.replace("FOLDER", folder.resolve("ours").toString()));
    theirs.send(text.replace("FOLDER", folder.resolve("theirs").toString()));
  }

  private void assertSameClassInFolder(String text) throws IOException {
    sendInFolders(text);
    JsonNode expected = theirs.reply().path("error").path("class");
    JsonNode reply = ours.reply();
    assertEquals(expected, reply.path("error").path("class"), text + reply);
  }

  private void assertSameEnd() throws IOException {
    assertEquals(eventsUntil(theirs, "concluded"), eventsUntil(ours, "concluded"));
    assertSame(call("job-dismiss", "'id': 'j'"));
  }

  @Test
  void chainsChangeTheSame() throws Exception {
    ChainImages our = ChainImages.make(folder.resolve("ours"));
    ChainImages their = ChainImages.make(folder.resolve("theirs"));
    assertSame("{'execute': 'qmp_capabilities'}");
    assertSameInFolder(
        call(
            "blockdev-add",
            "'driver': 'qcow2', 'node-name': 'top',"
                + " 'file': {'driver': 'file', 'filename': 'FOLDER/top.qcow2'}"));
    assertSameAtSocket(START);
    // Nodes of a chain that nobody uses go at once there, when something covers them.
    assertSame(
        call("block-export-add", "'type': 'nbd', 'id': 'e', 'node-name': 'top', 'writable': true"));
    chainsAreRefusedTheSame();
    assertSameInFolder(
        call(
            "blockdev-snapshot-sync",
            "'node-name': 'top', 'snapshot-node-name': 'over',"
                + " 'snapshot-file': 'FOLDER/over.qcow2'"));
    assertSameInFolder(
        call(
            "block-stream",
            "'job-id': 'j', 'device': 'over', 'base': 'FOLDER/base.qcow2',"
                + " 'backing-file': 'base.qcow2', 'auto-dismiss': false"));
    assertSameEnd();
    our.overlay("last.qcow2", "over.qcow2");
    their.overlay("last.qcow2", "over.qcow2");
    assertSameInFolder(
        call(
            "blockdev-add",
            "'driver': 'qcow2', 'node-name': 'last', 'backing': null,"
                + " 'file': {'driver': 'file', 'filename': 'FOLDER/last.qcow2'}"));
    assertSame(
        call(
            "transaction",
            "'actions': [{'type': 'blockdev-snapshot', 'data': {'node': 'over', 'overlay':"
                + " 'last'}}, {'type': 'block-dirty-bitmap-add', 'data': {'node': 'last',"
                + " 'name': 'b'}}]"));
    assertSame(call("block-dirty-bitmap-remove", "'node': 'last', 'name': 'b'"));
    assertSame(
        call(
            "block-commit",
            "'job-id': 'j', 'device': 'last', 'top-node': 'over',"
                + " 'backing-file': 'base.qcow2', 'auto-dismiss': false"));
    assertSameEnd();
    assertEquals(backing(their, "last.qcow2"), backing(our, "last.qcow2"));
    assertSame(call("block-commit", "'job-id': 'j', 'device': 'last', 'auto-dismiss': false"));
    assertEquals(eventsUntil(theirs, "BLOCK_JOB_READY"), eventsUntil(ours, "BLOCK_JOB_READY"));
    assertSame(call("job-complete", "'id': 'j'"));
    assertSameEnd();
    end();
    our.assertShowsAll("base.qcow2");
    their.assertShowsAll("base.qcow2");
  }

  private void chainsAreRefusedTheSame() throws IOException {
    assertSameClass(call("block-stream", "'job-id': 'j', 'device': 'none'"));
    assertSame(
        call("block-stream", "'job-id': 'j', 'device': 'top', 'base': 'x', 'base-node': 'y'"));
    assertSame(call("block-stream", "'job-id': 'j', 'device': 'top', 'base': 'x'"));
    assertSame(call("block-stream", "'job-id': 'j', 'device': 'top', 'backing-file': 'x'"));
    assertSameClass(call("block-commit", "'job-id': 'j', 'device': 'none'"));
    assertSameClass(call("block-commit", "'job-id': 'j', 'device': 'top', 'base-node': 'top'"));
    assertSame(
        call("block-commit", "'job-id': 'j', 'device': 'top', 'base': 'x', 'base-node': 'y'"));
    assertSame(call("block-commit", "'job-id': 'j', 'device': 'top', 'base': 'x'"));
    assertSame(call("block-commit", "'job-id': 'j', 'device': 'top', 'backing-file': 'x'"));
    assertSameClass(
        call(
            "change-backing-file",
            "'device': 'top', 'image-node-name': 'none', 'backing-file': 'x'"));
    assertSameClass(call("blockdev-snapshot", "'node': 'top', 'overlay': 'none'"));
    assertSameClass(call("blockdev-snapshot-sync", "'snapshot-file': '/none/x'"));
    assertSameClassInFolder(
        call("blockdev-snapshot-sync", "'node-name': 'top', 'snapshot-file': 'FOLDER/x'"));
    assertSameInFolder(
        call(
            "blockdev-snapshot-sync",
            "'node-name': 'top', 'snapshot-node-name': 'n', 'snapshot-file': 'FOLDER/x',"
                + " 'format': 'raw'"));
    assertSameClass(
        call(
            "blockdev-snapshot-sync",
            "'node-name': 'top', 'snapshot-node-name': 'n', 'snapshot-file': '/none/x'"));
    assertSame(call("transaction", "'actions': []"));
    assertSame(call("transaction", "'actions': [{'type': 'abort', 'data': {}}]"));
    assertSame(call("transaction", "'actions': [{'type': 'abort'}]"));
    assertSameClass(call("transaction", "'actions': [{'type': 'x', 'data': {}}]"));
    assertSame(
        call(
            "transaction",
            "'actions': [{'type': 'block-dirty-bitmap-add', 'data': {'node': 'top', 'name': 'b'}},"
                + " {'type': 'abort', 'data': {}}]"));
    assertSame(call("block-dirty-bitmap-remove", "'node': 'top', 'name': 'b'"));
    assertSame(
        call(
            "transaction",
            "'actions': [{'type': 'block-dirty-bitmap-add', 'data': {'node': 'top', 'name': 'b'}}],"
                + " 'properties': {'completion-mode': 'grouped'}"));
  }

  private static String backing(ChainImages images, String file) throws Exception {
    return images
        .info(file)
        .lines()
        .filter(line -> line.startsWith("backing file"))
        .map(line -> line.replace(images.folder.toString(), "FOLDER"))
        .toList()
        .toString();
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
