// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Backing chains as clients change them, of images that QEMU's tools made and look at. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QmpChainTest extends QmpAsking {
  private ChainImages images;
  private QmpWorld world;

  @BeforeEach
  void openChain() throws Exception {
    images = ChainImages.make(folder);
    images.run("qemu-img", "create", "-q", "-f", "qcow2", "other.qcow2", "4M");
    world = new QmpWorld(folder);
    client = world.client();
    add("base", "'backing': null", "base.qcow2");
    add("middle", "'backing': 'base'", "middle.qcow2");
    add("top", "'backing': 'middle'", "top.qcow2");
    add("other", "'backing': null", "other.qcow2");
    // Who uses the chain.
    returns("blockdev-add", "'driver': 'raw', 'node-name': 'user', 'file': 'top'");
  }

  @AfterEach
  void close() throws Exception {
    if (world != null) {
      client.close();
      world.close();
      world = null;
    }
  }

  private void add(String node, String backing, String file) throws IOException {
    returns(
        "blockdev-add",
        "'driver': 'qcow2', 'node-name': '%s', %s, 'file': {'driver': 'file', 'filename': '%s'}"
            .formatted(node, backing, folder.resolve(file)));
  }

  /** What stands on what, as "parent role child". */
  private List<String> links() throws IOException {
    JsonNode graph = returns("x-debug-query-block-graph", "");
    List<String> links = new ArrayList<>();
    for (JsonNode edge : graph.get("edges")) {
      links.add(
          name(graph, edge.get("parent"))
              + " "
              + edge.get("name").asString()
              + " "
              + name(graph, edge.get("child")));
    }
    links.removeIf(link -> link.contains("#"));
    links.sort(null);
    return links;
  }

  private static String name(JsonNode graph, JsonNode id) {
    for (JsonNode node : graph.get("nodes")) {
      if (node.get("id").equals(id)) {
        return node.get("name").asString();
      }
    }
    throw new AssertionError(id + " is not in " + graph);
  }

  /** Waits for the end of a job that is not dismissed by itself. */
  private void end(String id) throws IOException {
    JsonNode event;
    do {
      event = client.event();
    } while (!event.path("data").path("status").asString("").equals("concluded"));
    JsonNode jobs = returns("query-jobs", "");
    assertEquals(1, jobs.size());
    assertFalse(jobs.get(0).has("error"), jobs.toString());
    assertEquals(id, jobs.get(0).path("id").asString());
    returns("job-dismiss", "'id': '%s'".formatted(id));
  }

  private void await(String event) throws IOException {
    while (!client.event().path("event").asString("").equals(event)) {
      // Another one.
    }
  }

  @Test
  void aNodeIsStreamedIntoAndNamesItsBase() throws Exception {
    returns(
        "block-stream",
        "'job-id': 'j', 'device': 'top', 'base-node': 'base', 'auto-dismiss': false");
    end("j");
    assertEquals(List.of("middle backing base", "top backing base", "user file top"), links());
    assertTrue(images.info("top.qcow2").contains("backing file: " + folder.resolve("base.qcow2")));
    close();
    images.assertShowsAll("top.qcow2");
  }

  @Test
  void aStreamTakesWhatQapiNames() throws Exception {
    returns(
        "block-stream",
        "'job-id': 'j', 'device': 'top', 'bottom': 'middle', 'backing-file': 'base.qcow2',"
            + " 'backing-mask-protocol': true, 'speed': 100000000, 'on-error': 'stop',"
            + " 'filter-node-name': 'f', 'auto-finalize': false, 'auto-dismiss': false");
    await("BLOCK_JOB_PENDING");
    JsonNode job = returns("query-block-jobs", "").get(0);
    assertEquals("stream", job.path("type").asString());
    assertEquals(100_000_000, job.path("speed").asLong());
    assertTrue(links().contains("user file f"), links().toString());
    returns("job-finalize", "'id': 'j'");
    end("j");
    assertTrue(images.info("top.qcow2").contains("backing file: base.qcow2"));
    close();
    images.assertShowsAll("top.qcow2");
  }

  @Test
  void aPartInTheMiddleIsCommitted() throws Exception {
    returns(
        "block-commit",
        "'job-id': 'j', 'device': 'top', 'top': 'FOLDER/middle.qcow2', 'base-node': 'base',"
            + " 'backing-file': 'base.qcow2', 'auto-dismiss': false");
    end("j");
    assertEquals(List.of("middle backing base", "top backing base", "user file top"), links());
    assertTrue(images.info("top.qcow2").contains("backing file: base.qcow2"));
    close();
    images.assertShowsAll("top.qcow2");
  }

  @Test
  void theNodeItselfIsCommittedAndThePivotLeadsToTheBase() throws Exception {
    returns("block-commit", "'job-id': 'j', 'device': 'top', 'auto-dismiss': false");
    await("BLOCK_JOB_READY");
    assertEquals("ready", returns("query-jobs", "").get(0).path("status").asString());
    returns("job-complete", "'id': 'j'");
    end("j");
    assertTrue(links().contains("user file base"), links().toString());
    close();
    images.assertShowsAll("base.qcow2");
  }

  @Test
  void aNodeIsCoveredByAnOverlayThatIsThere() throws Exception {
    returns("blockdev-snapshot", "'node': 'top', 'overlay': 'other'");
    assertEquals(
        List.of(
            "middle backing base", "other backing top", "top backing middle", "user file other"),
        links());
    assertFalse(images.info("other.qcow2").contains("backing file"));
    returns(
        "change-backing-file",
        "'device': 'user', 'image-node-name': 'other', 'backing-file': 'top.qcow2'");
    String info = images.info("other.qcow2");
    assertTrue(info.contains("backing file: top.qcow2"), info);
    assertTrue(info.contains("backing file format: qcow2"), info);
    close();
    images.assertShowsAll("other.qcow2");
  }

  @Test
  void anOverlayIsMadeInAFile() throws Exception {
    returns(
        "blockdev-snapshot-sync",
        "'node-name': 'top', 'snapshot-node-name': 'over', 'snapshot-file': 'FOLDER/over.qcow2'");
    assertTrue(links().containsAll(List.of("over backing top", "user file over")));
    String info = images.info("over.qcow2");
    assertTrue(info.contains("backing file: " + folder.resolve("top.qcow2")), info);
    assertTrue(info.contains("backing file format: qcow2"), info);
    returns(
        "blockdev-snapshot-sync",
        "'device': 'other', 'snapshot-file': 'FOLDER/over.qcow2', 'mode': 'absolute-paths'"
            .replace("over", "second"));
    images.overlay("third.qcow2", "over.qcow2");
    returns(
        "blockdev-snapshot-sync",
        "'device': 'over', 'snapshot-file': 'FOLDER/third.qcow2', 'format': 'qcow2',"
            + " 'mode': 'existing'");
    returns("block-stream", "'job-id': 'j', 'device': 'over', 'auto-dismiss': false");
    end("j");
    close();
    images.assertShowsAll("over.qcow2");
    images.assertShowsAll("third.qcow2");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "block-stream | 'device': 'none' | Failed to find node with node-name='none'",
        "block-stream | 'device': 'top', 'base-node': 'other' "
            + "| Node 'other' is not a backing image of 'top'",
        "block-stream | 'device': 'middle', 'base-node': 'top' "
            + "| Node 'top' is not a backing image of 'middle'",
        "block-stream | 'device': 'top', 'base': 'x' | Can't find 'x' in the backing chain",
        "block-stream | 'device': 'top', 'base': 'x', 'base-node': 'base' "
            + "| 'base' and 'base-node' cannot be specified at the same time",
        "block-stream | 'device': 'top', 'backing-file': 'x' "
            + "| backing file specified, but streaming the entire chain",
        "block-stream | 'device': 'top', 'speed': -1 "
            + "| Parameter 'speed' expects a non-negative value",
        "block-stream | 'device': 'top', 'job-id': '1' | Invalid job ID '1'",
        "block-stream | 'device': 'top', 'on-error': 'x' "
            + "| Parameter 'on-error' does not accept value 'x'",
        "block-commit | 'device': 'none' | Failed to find node with node-name='none'",
        "block-commit | 'device': 'top', 'base-node': 'other' "
            + "| Node 'other' is not in the backing chain of 'top'",
        "block-commit | 'device': 'top', 'base-node': 'middle', 'top-node': 'base' "
            + "| Node 'middle' is not a backing image of 'base'",
        "block-commit | 'device': 'top', 'base-node': 'top' "
            + "| Node 'top' is not a backing image of 'top'",
        "block-commit | 'device': 'top', 'top': 'x', 'top-node': 'middle' "
            + "| 'top-node' and 'top' are mutually exclusive",
        "block-commit | 'device': 'top', 'backing-file': 'x' "
            + "| 'backing-file' specified, but 'top' is the active layer",
        "blockdev-snapshot | 'node': 'top', 'overlay': 'none' "
            + "| Failed to find node with node-name='none'",
        "blockdev-snapshot | 'node': 'top', 'overlay': 'middle' "
            + "| The overlay 'middle' is already in use",
        "blockdev-snapshot | 'node': 'other', 'overlay': 'user' "
            + "| The overlay 'user' does not support backing images",
        "blockdev-snapshot-sync | 'snapshot-file': 'FOLDER/new' "
            + "| Either 'device' or 'node-name' must be given",
        "blockdev-snapshot-sync | 'node-name': 'top', 'snapshot-file': 'FOLDER/new' "
            + "| New overlay node-name missing",
        "blockdev-snapshot-sync | 'device': 'top', 'snapshot-node-name': 'base',"
            + " 'snapshot-file': 'FOLDER/new' | Duplicate nodes with node-name='base'",
        "blockdev-snapshot-sync | 'device': 'top', 'snapshot-file': 'FOLDER/new', 'format': 'x' "
            + "| Unknown file format 'x'",
        "blockdev-snapshot-sync | 'device': 'top', 'snapshot-file': 'FOLDER/new', 'format': 'raw' "
            + "| Backing file not supported for file format 'raw'",
        "blockdev-snapshot-sync | 'device': 'top', 'snapshot-file': '/none/new' "
            + "| Could not create '/none/new': ENOENT (No such file or directory)",
        "change-backing-file | 'device': 'top', 'image-node-name': 'other', 'backing-file': 'x' "
            + "| Node 'other' is not in the backing chain of 'top'",
        "change-backing-file | 'device': 'top', 'image-node-name': 'base', 'backing-file': 'x' "
            + "| Node 'base' has no backing file that its image could name",
      })
  void whatCannotBeIsSaidAndNothingIsDone(String command, String arguments, String sentence)
      throws Exception {
    JsonNode before = returns("query-named-block-nodes", "");
    refused(sentence, command, arguments);
    assertEquals(before, returns("query-named-block-nodes", ""));
    assertEquals("[]", returns("query-jobs", "").toString());
    assertFalse(Files.exists(folder.resolve("new")));
    close();
    images.assertShowsAll("top.qcow2");
  }

  /** One class alone is another than GenericError. */
  @Test
  void aCommitOfNoNodeHasItsOwnErrorClass() throws Exception {
    JsonNode reply = ask("block-commit", "'device': 'none'");
    assertEquals("DeviceNotFound", reply.path("error").path("class").asString(""));
    reply = ask("block-stream", "'device': 'none'");
    assertEquals("GenericError", reply.path("error").path("class").asString(""));
  }

  /** A file that somebody uses is not emptied for an overlay. */
  @Test
  void noImageOfTheChainIsOverwritten() throws Exception {
    for (String file : List.of("top.qcow2", "middle.qcow2", "base.qcow2")) {
      JsonNode reply =
          ask("blockdev-snapshot-sync", "'device': 'top', 'snapshot-file': 'FOLDER/" + file + "'");
      assertTrue(reply.has("error"), reply.toString());
    }
    close();
    images.assertShowsAll("top.qcow2");
  }

  @Test
  void aJobKeepsItsChain() throws Exception {
    returns(
        "block-stream",
        "'job-id': 'j', 'device': 'top', 'base-node': 'base', 'auto-finalize': false,"
            + " 'auto-dismiss': false");
    await("BLOCK_JOB_PENDING");
    List<String> before = links();
    refused(
        "Node 'top' is busy: block device is in use by block job: stream",
        "block-stream",
        "'job-id': 'k', 'device': 'top'");
    refused(
        "Node 'top' is busy: block device is in use by block job: stream",
        "block-commit",
        "'job-id': 'k', 'device': 'top', 'base-node': 'middle'");
    JsonNode snapshot = ask("blockdev-snapshot", "'node': 'top', 'overlay': 'other'");
    String said = snapshot.path("error").path("desc").asString("");
    assertTrue(said.endsWith("stream job 'j' relies on it"), said);
    JsonNode sync = ask("blockdev-snapshot-sync", "'device': 'top', 'snapshot-file': 'FOLDER/new'");
    said = sync.path("error").path("desc").asString("");
    assertTrue(said.endsWith("stream job 'j' relies on it"), said);
    assertFalse(Files.exists(folder.resolve("new")));
    assertEquals(before, links());
    returns("job-finalize", "'id': 'j'");
    end("j");
    returns("blockdev-snapshot", "'node': 'top', 'overlay': 'other'");
  }
}
