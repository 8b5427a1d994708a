// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Several things in one moment, or none of them. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QmpTransactionTest extends QmpAsking {
  private static final int LENGTH = 1 << 20;

  private QmpWorld world;

  /** Two disks of which the first has dirty bitmaps: dirty, clean, stopped. */
  @BeforeEach
  void openDisks() throws Exception {
    ChainImages images = new ChainImages(folder);
    world = new QmpWorld(folder);
    client = world.client();
    returns(
        "blockdev-add",
        "'driver': 'null-co', 'node-name': 'source', 'size': 1048576, 'read-zeroes': true");
    for (String disk : List.of("one", "two")) {
      images.run("qemu-img", "create", "-q", "-f", "qcow2", disk + ".qcow2", "1M");
      images.run("qemu-img", "create", "-q", "-f", "qcow2", disk + "-over.qcow2", "1M");
      add(disk);
      add(disk + "-over");
      returns(
          "blockdev-add",
          "'driver': 'raw', 'node-name': '%s-user', 'file': '%s'".formatted(disk, disk));
    }
    returns("block-dirty-bitmap-add", "'node': 'one', 'name': 'dirty', 'granularity': 4096");
    returns(
        "blockdev-backup", "'job-id': 'j', 'device': 'source', 'target': 'one', 'sync': 'full'");
    while (!client.event().path("data").path("status").asString("").equals("null")) {
      // Not over yet.
    }
    returns("block-dirty-bitmap-add", "'node': 'one', 'name': 'clean', 'granularity': 4096");
    returns("block-dirty-bitmap-add", "'node': 'one', 'name': 'stopped', 'disabled': true");
    assertEquals(LENGTH, bitmap("one", "dirty").path("count").asLong());
  }

  @AfterEach
  void close() throws Exception {
    client.close();
    world.close();
  }

  private void add(String node) throws IOException {
    returns(
        "blockdev-add",
        "'driver': 'qcow2', 'node-name': '%s', 'backing': null,".formatted(node)
            + " 'file': {'driver': 'file', 'filename': 'FOLDER/%s.qcow2'}".formatted(node));
  }

  private static String action(String type, String data) {
    return "{'type': '%s', 'data': {%s}}".formatted(type, data);
  }

  private static String bitmapAction(String type, String name) {
    return action("block-dirty-bitmap-" + type, "'node': 'one', 'name': '%s'".formatted(name));
  }

  private static String actions(String... actions) {
    return "'actions': [" + String.join(", ", actions) + "]";
  }

  /** What is told of a bitmap; nothing if there is none. */
  private JsonNode bitmap(String node, String name) throws IOException {
    for (JsonNode info : nodes()) {
      for (JsonNode bitmap : info.path("dirty-bitmaps")) {
        if (info.path("node-name").asString().equals(node)
            && bitmap.path("name").asString().equals(name)) {
          return bitmap;
        }
      }
    }
    return nodes().path("nothing");
  }

  private JsonNode nodes() throws IOException {
    return returns("query-named-block-nodes", "");
  }

  private JsonNode graph() throws IOException {
    return returns("x-debug-query-block-graph", "");
  }

  /** One of each, in one transaction. */
  private static final String[] ALL = {
    action("blockdev-snapshot", "'node': 'one', 'overlay': 'one-over'"),
    action(
        "blockdev-snapshot-sync",
        "'node-name': 'two', 'snapshot-node-name': 'new', 'snapshot-file': 'FOLDER/new'"),
    action("block-dirty-bitmap-add", "'node': 'one-over', 'name': 'first'"),
    action("block-dirty-bitmap-add", "'node': 'new', 'name': 'second', 'disabled': true"),
    action("block-dirty-bitmap-merge", "'node': 'one', 'target': 'clean', 'bitmaps': ['dirty']"),
    bitmapAction("clear", "dirty"),
    bitmapAction("disable", "dirty"),
    bitmapAction("enable", "stopped"),
    bitmapAction("remove", "clean"),
  };

  @Test
  void allIsDone() throws Exception {
    returns("transaction", actions(ALL));
    JsonNode graph = graph();
    assertTrue(bitmap("one-over", "first").path("recording").asBoolean());
    assertFalse(bitmap("new", "second").path("recording").asBoolean(true));
    assertEquals(0, bitmap("one", "dirty").path("count").asLong(-1));
    assertFalse(bitmap("one", "dirty").path("recording").asBoolean(true));
    assertTrue(bitmap("one", "stopped").path("recording").asBoolean());
    assertTrue(bitmap("one", "clean").isMissingNode());
    assertEquals(2, backingLinks(graph), graph.toString());
    // Everything moves again: a copy of what the new overlays show comes to its end.
    returns(
        "blockdev-backup",
        "'job-id': 'j', 'device': 'source', 'target': 'one-user', 'sync': 'full'");
    while (!client.event().path("data").path("status").asString("").equals("null")) {
      // Not over yet.
    }
    assertEquals(LENGTH, bitmap("one-over", "first").path("count").asLong());
    assertEquals(0, bitmap("one", "stopped").path("count").asLong());
  }

  private static int backingLinks(JsonNode graph) {
    int links = 0;
    for (JsonNode edge : graph.get("edges")) {
      links += edge.path("name").asString().equals("backing") ? 1 : 0;
    }
    return links;
  }

  /** Whatever fails last, all before it is taken back. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "abort | | Transaction aborted using Abort action",
        "block-dirty-bitmap-clear | 'node': 'one', 'name': 'none' | Dirty bitmap 'none' not found",
        "block-dirty-bitmap-add | 'node': 'one', 'name': 'dirty' | Bitmap already exists: dirty",
        "block-dirty-bitmap-add | 'node': 'one', 'name': 'clean' | Bitmap already exists: clean",
        "block-dirty-bitmap-add | 'node': 'absent', 'name': 'a' "
            + "| Failed to find node with node-name='absent'",
        "block-dirty-bitmap-merge | 'node': 'one', 'target': 'dirty', 'bitmaps': ['none'] "
            + "| Dirty bitmap 'none' not found",
        "block-dirty-bitmap-enable | 'node': 'one', 'name': 'clean' "
            + "| Bitmap 'clean' is currently in use by another operation and cannot be used",
        "blockdev-snapshot | 'node': 'source', 'overlay': 'one-over' "
            + "| The overlay 'one-over' is already in use",
        "blockdev-snapshot | 'node': 'one', 'overlay': 'two-over' "
            + "| Node 'one' is to be covered twice",
        "blockdev-snapshot | 'node': 'one-user', 'overlay': 'one' "
            + "| The overlay 'one' is already in use",
        "blockdev-snapshot-sync | 'device': 'source', 'snapshot-file': 'FOLDER/next' "
            + "| Node 'source' is no file of this host: a new image cannot name it as its backing"
            + " file",
        "blockdev-snapshot-sync | 'device': 'source', 'snapshot-file': 'FOLDER/none', 'mode':"
            + " 'existing' | Could not open 'FOLDER/none': ENOENT (No such file or directory)",
      })
  void allIsTakenBack(String type, String data, String sentence) throws Exception {
    JsonNode nodes = nodes();
    JsonNode graph = graph();
    String[] withFailure = Arrays.copyOf(ALL, ALL.length + 1);
    withFailure[ALL.length] = action(type, data == null ? "" : data);
    JsonNode reply = ask("transaction", actions(withFailure));
    assertEquals(
        sentence.replace("FOLDER", folder.toString()),
        reply.path("error").path("desc").asString(""),
        reply.toString());
    assertEquals(nodes, nodes());
    assertEquals(graph, graph());
    assertFalse(Files.exists(folder.resolve("new")));
    assertFalse(Files.exists(folder.resolve("next")));
    // Nothing is left that would be in the way.
    allIsDone();
  }

  /** What is only found out when links change. */
  @Test
  void aChainThatAJobHoldsIsNotCovered() throws Exception {
    returns("blockdev-snapshot", "'node': 'two', 'overlay': 'two-over'");
    returns("block-stream", "'job-id': 'k', 'device': 'two-over', 'auto-finalize': false");
    while (!client.event().path("event").asString("").equals("BLOCK_JOB_PENDING")) {
      // Not there yet.
    }
    JsonNode nodes = nodes();
    JsonNode reply =
        ask(
            "transaction",
            actions(
                bitmapAction("clear", "dirty"),
                action("blockdev-snapshot-sync", "'device': 'one', 'snapshot-file': 'FOLDER/new'"),
                action("blockdev-snapshot", "'node': 'two-over', 'overlay': 'one-over'")));
    String said = reply.path("error").path("desc").asString("");
    assertTrue(said.endsWith("stream job 'k' relies on it"), reply.toString());
    assertEquals(nodes, nodes());
    assertFalse(Files.exists(folder.resolve("new")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "'actions': [{'type': 'x', 'data': {}}] "
            + "| Parameter 'actions[0].type' does not accept value 'x'",
        "'actions': [{'type': 'abort'}] | Parameter 'actions[0].data' is missing",
        "'actions': [{'type': 'abort', 'data': {'a': 1}}] "
            + "| Parameter 'actions[0].data.a' is unexpected",
        "'actions': [{'type': 'blockdev-snapshot', 'data': {'node': 'one'}}] "
            + "| Parameter 'actions[0].data.overlay' is missing",
        "'actions': [{'type': 'block-dirty-bitmap-clear',"
            + " 'data': {'node': 'one', 'name': 'dirty'}}],"
            + " 'properties': {'completion-mode': 'grouped'} "
            + "| Action 'block-dirty-bitmap-clear' does not support Transaction property"
            + " completion-mode = grouped",
      })
  void whatIsWrongIsSaid(String arguments, String sentence) throws Exception {
    JsonNode nodes = nodes();
    JsonNode reply = ask("transaction", arguments);
    assertEquals(sentence, reply.path("error").path("desc").asString(""), reply.toString());
    assertEquals(nodes, nodes());
    returns("transaction", "'actions': [], 'properties': {'completion-mode': 'individual'}");
  }
}
