// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.vmm.json.JsonText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Conversations with a monitor, as clients hold them. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QmpConversationTest {
  @TempDir Path folder;

  private static JsonNode ask(QmpClient client, String text) throws IOException {
    client.send(text);
    return client.reply();
  }

  private static void assertReturns(String expected, JsonNode reply) throws Exception {
    assertEquals(JsonText.qmpValue(expected), reply.get("return"), reply.toString());
  }

  private static void assertError(String errorClass, String text, JsonNode reply) {
    assertEquals(errorClass, reply.path("error").path("class").asString(""), reply.toString());
    assertEquals(text, reply.path("error").path("desc").asString(""));
  }

  @Test
  void aClientIsGreetedAndNegotiatesFirst() throws Exception {
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = QmpClient.connect(world.socket)) {
      JsonNode qmp = client.greeting().get("QMP");
      assertEquals(1, qmp.path("version").path("qemu").path("minor").asInt());
      assertEquals("spindle 0.1.0", qmp.path("version").path("package").asString());
      assertEquals("[\"oob\"]", qmp.get("capabilities").toString());
      assertError(
          "CommandNotFound",
          "Expecting capabilities negotiation with 'qmp_capabilities'",
          ask(client, "{'execute': 'query-version'}"));
      assertReturns("{}", ask(client, "{'execute': 'qmp_capabilities'}"));
      assertError(
          "CommandNotFound",
          "Capabilities negotiation is already complete, command ignored",
          ask(client, "{'execute': 'qmp_capabilities'}"));
      assertError(
          "GenericError",
          "Out-of-band execution has not been enabled: see qmp_capabilities",
          ask(client, "{'exec-oob': 'query-version'}"));
    }
  }

  @Test
  void theSocketIsItsUsersAloneAndGoesWithTheServer() throws Exception {
    Path socket;
    try (QmpWorld world = new QmpWorld(folder)) {
      socket = world.socket;
      assertEquals(
          PosixFilePermissions.fromString("rw-------"), Files.getPosixFilePermissions(socket));
    }
    assertTrue(Files.notExists(socket));
  }

  /** Whatever a client says that is wrong, it is told so and can go on. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[] | QMP input must be a JSON object",
        "7 | QMP input must be a JSON object",
        "{} | QMP input lacks member 'execute'",
        "{'execute': 1} | QMP input member 'execute' must be a string",
        "{'execute': 'a', 'b': 1} | QMP input member 'b' is unexpected",
        "{'execute': 'a', 'arguments': []} | QMP input member 'arguments' must be an object",
        "{'execute': 'blockdev-del'} | Parameter 'node-name' is missing",
        "{'execute': 'blockdev-del', 'arguments': {'node-name': 1}} "
            + "| Invalid parameter type for 'node-name', expected: string",
        "{'execute': 'blockdev-del', 'arguments': {'node-name': 'a', 'b': 1}} "
            + "| Parameter 'b' is unexpected",
        "{'execute': 'qmp_capabilities', 'arguments': {'enable': ['x']}} "
            + "| Capabilities negotiation is already complete, command ignored",
        "{'execute': 'job-cancel', 'arguments': {'id': 'none'}} | Job 'none' not found",
        "{'exec-oob': 'blockdev-del'} | The command blockdev-del does not support OOB",
        "{'execute': 'blockdev-mirror', 'arguments': {'device': 'a', 'target': 'b',"
            + " 'sync': 'some'}} | Parameter 'sync' does not accept value 'some'",
        "{'execute': 'blockdev-add', 'arguments': {'driver': 'null-co'}} "
            + "| blockdev-add: parameter 'node-name' is missing",
      })
  void whatIsWrongIsSaid(String text, String sentence) throws Exception {
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      JsonNode reply = ask(client, text);
      assertEquals(sentence, reply.path("error").path("desc").asString(""), reply.toString());
      assertReturns("[]", ask(client, "{'execute': 'query-named-block-nodes'}"));
    }
  }

  @Test
  void whatIsNoJsonIsToldAndTheNextTextIsFound() throws Exception {
    List<String> texts =
        List.of(
            "{'execute': }",
            "}",
            "nonsense",
            "{'a': 1, 'a': 2}",
            "{'execute': 'query-\u0001'}",
            "{'execute': 'unfinished\n",
            "[".repeat(2000),
            "[".repeat(900) + "]".repeat(900));
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      for (String text : texts) {
        JsonNode reply = ask(client, text);
        String said = reply.path("error").path("desc").asString("");
        assertTrue(said.startsWith("JSON parse error, "), text + ": " + reply);
        client.send(new byte[] {'\n'});
        // What was left of the text has been answered, too, once this is.
        client.send("{'execute': 'query-version', 'id': 'next'}");
        while (!client.reply().path("id").asString("").equals("next")) {
          // Another complaint.
        }
      }
      client.send(new byte[] {'{', '"', 'a', (byte) 0xFF});
      assertTrue(client.reply().has("error"));
      client.send(new byte[] {'{', '"', (byte) 0xC0, '"', ':', '1', '}'});
      assertEquals(
          "JSON parse error, a string is not UTF-8",
          client.reply().path("error").path("desc").asString());
      assertReturns("[]", ask(client, "{'execute':\n'query-jobs'\n}"));
    }
  }

  @Test
  void aTextLongerThanAnyIsRefusedAndTheConnectionKept() throws Exception {
    byte[] filler = "x".repeat(1 << 20).getBytes(UTF_8);
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      client.send("{'execute': '".getBytes(UTF_8));
      for (int i = 0; i < 66; i++) {
        client.send(filler);
      }
      client.send("'}");
      assertError(
          "GenericError", "JSON parse error, the text is longer than 1 MiB", client.reply());
      assertReturns("[]", ask(client, "{'execute': 'query-jobs'}"));
    }
  }

  @Test
  void idsAreRepeatedAndRepliesComeInOrder() throws Exception {
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      for (int i = 0; i < 100; i++) {
        client.send(
            "{'execute': '%s', 'id': {'n': %d}}".formatted(i % 3 == 0 ? "x" : "query-jobs", i));
      }
      for (int i = 0; i < 100; i++) {
        JsonNode reply = client.reply();
        assertEquals(i, reply.path("id").path("n").asInt(-1));
        assertEquals(i % 3 == 0, reply.has("error"));
      }
    }
  }

  @Test
  void outOfBandCommandsPassAllOthers() throws Exception {
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      client.send("{'execute': 'test-slow', 'id': 'slow'}");
      world.slowBegun.await();
      client.send("{'execute': 'query-jobs', 'id': 'after'}");
      client.send("{'exec-oob': 'query-version', 'id': 'oob'}");
      assertEquals("oob", client.reply().path("id").asString());
      world.slowMayEnd.countDown();
      assertEquals("slow", client.reply().path("id").asString());
      assertEquals("after", client.reply().path("id").asString());
    }
  }

  @Test
  void nodesComeMoveAndGo() throws Exception {
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      assertReturns(
          "{}",
          ask(
              client,
              "{'execute': 'blockdev-add', 'arguments': {'driver': 'raw', 'node-name': 'top',"
                  + " 'file': {'driver': 'null-co', 'node-name': 'below', 'size': 1048576}}}"));
      JsonNode nodes = ask(client, "{'execute': 'query-named-block-nodes'}").get("return");
      assertEquals(2, nodes.size(), nodes.toString());
      assertEquals(1 << 20, nodes.get(1).path("image").path("virtual-size").asLong());
      assertReturns(
          "{}",
          ask(
              client,
              "{'execute': 'x-blockdev-set-iothread',"
                  + " 'arguments': {'node-name': 'below', 'iothread': 'io0'}}"));
      nodes = ask(client, "{'execute': 'query-named-block-nodes'}").get("return");
      assertEquals("io0", nodes.get(0).path("x-spindle-iothread").asString());
      JsonNode graph = ask(client, "{'execute': 'x-debug-query-block-graph'}").get("return");
      assertEquals(1, graph.get("edges").size(), graph.toString());
      assertError(
          "GenericError",
          "Node 'below' is in use by node 'top'",
          ask(client, "{'execute': 'blockdev-del', 'arguments': {'node-name': 'below'}}"));
      assertReturns(
          "{}",
          ask(
              client,
              "{'execute': 'x-blockdev-set-iothread',"
                  + " 'arguments': {'node-name': 'top', 'iothread': null}}"));
      assertReturns(
          "{}", ask(client, "{'execute': 'blockdev-del', 'arguments': {'node-name': 'top'}}"));
    }
  }

  @Test
  void aMirrorTellsWhatBecomesOfIt() throws Exception {
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      for (String name : List.of("from", "to")) {
        Path file = Files.write(folder.resolve(name), new byte[1 << 20]);
        assertReturns(
            "{}",
            ask(
                client,
                "{'execute': 'blockdev-add', 'arguments': {'driver': 'file', 'node-name': '%s',"
                        .formatted(name)
                    + " 'filename': '%s'}}".formatted(file)));
      }
      assertReturns(
          "{}",
          ask(
              client,
              "{'execute': 'blockdev-mirror', 'arguments': {'job-id': 'copy', 'device': 'from',"
                  + " 'target': 'to', 'sync': 'full'}}"));
      List<String> told = new ArrayList<>();
      JsonNode event;
      do {
        event = client.event();
        assertTrue(event.path("timestamp").path("seconds").asLong() > 0);
        told.add(
            event.path("event").asString() + " " + event.path("data").path("status").asString(""));
      } while (!event.path("event").asString().equals("BLOCK_JOB_READY"));
      JsonNode jobs = ask(client, "{'execute': 'query-block-jobs'}").get("return");
      assertEquals("copy", jobs.get(0).path("device").asString());
      assertTrue(jobs.get(0).path("ready").asBoolean());
      assertReturns("{}", ask(client, "{'execute': 'job-complete', 'arguments': {'id': 'copy'}}"));
      do {
        event = client.event();
        told.add(
            event.path("event").asString() + " " + event.path("data").path("status").asString(""));
      } while (!event.path("data").path("status").asString("").equals("null"));
      assertEquals(
          List.of(
              "JOB_STATUS_CHANGE created",
              "JOB_STATUS_CHANGE running",
              "JOB_STATUS_CHANGE ready",
              "BLOCK_JOB_READY ",
              "JOB_STATUS_CHANGE waiting",
              "JOB_STATUS_CHANGE pending",
              "BLOCK_JOB_COMPLETED ",
              "JOB_STATUS_CHANGE concluded",
              "JOB_STATUS_CHANGE null"),
          told);
      assertReturns("[]", ask(client, "{'execute': 'query-jobs'}"));
    }
  }

  /** Each type that the schema names is described in it, and each command is there. */
  @Test
  void theSchemaIsWhole() throws Exception {
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      JsonNode schema = ask(client, "{'execute': 'query-qmp-schema'}").get("return");
      Set<String> names = new HashSet<>();
      Set<String> used = new HashSet<>();
      for (JsonNode entry : schema) {
        assertTrue(names.add(entry.path("name").asString()), entry.toString());
        for (String key : List.of("arg-type", "ret-type", "element-type")) {
          if (entry.has(key)) {
            used.add(entry.path(key).asString());
          }
        }
        for (String list : List.of("members", "variants")) {
          for (JsonNode member : entry.path(list)) {
            if (member.has("type")) {
              used.add(member.path("type").asString());
            }
          }
        }
      }
      used.removeAll(names);
      assertEquals(Set.of(), used);
      for (JsonNode command : ask(client, "{'execute': 'query-commands'}").get("return")) {
        assertTrue(names.contains(command.path("name").asString()), command.toString());
      }
    }
  }

  @Test
  void theEndAnswersWhatWasAskedAndHangsUp() throws Exception {
    try (QmpWorld world = new QmpWorld(folder);
        QmpClient client = world.client()) {
      client.send("{'execute': 'quit'}");
      world.quit.await();
      world.closeServer();
      assertReturns("{}", client.reply());
      assertThrows(IOException.class, client::reply);
    }
  }

  @Test
  void theNextClientIsGreetedWhenTheOneBeforeHasGone() throws Exception {
    try (QmpWorld world = new QmpWorld(folder)) {
      for (int i = 0; i < 5; i++) {
        try (QmpClient client = world.client()) {
          assertReturns("[]", ask(client, "{'execute': 'query-jobs'}"));
        }
      }
    }
  }
}
