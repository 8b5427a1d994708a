// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.vmm.json.JsonText;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Objects that come, change and go over QMP. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QmpObjectTest {
  @TempDir Path folder;
  private QmpWorld world;
  private QmpClient client;

  @BeforeEach
  void connect() throws Exception {
    world = new QmpWorld(folder);
    client = world.client();
  }

  @AfterEach
  void disconnect() throws Exception {
    client.close();
    world.close();
  }

  private JsonNode ask(String command, String arguments) throws Exception {
    client.send("{'execute': '%s', 'arguments': %s}".formatted(command, arguments));
    return client.reply();
  }

  private void done(String command, String arguments) throws Exception {
    returns("{}", command, arguments);
  }

  private void returns(String expected, String command, String arguments) throws Exception {
    JsonNode reply = ask(command, arguments);
    assertEquals(JsonText.qmpValue(expected), reply.get("return"), reply.toString());
  }

  private void refused(String sentence, String command, String arguments) throws Exception {
    JsonNode reply = ask(command, arguments);
    assertEquals(sentence, reply.path("error").path("desc").asString(""), reply.toString());
  }

  private static boolean hasThread(String name) {
    return Thread.getAllStackTraces().keySet().stream().anyMatch(t -> t.getName().equals(name));
  }

  @Test
  void anIothreadComesIsUsedAndGoesOnceNobodyUsesIt() throws Exception {
    done("object-add", "{'qom-type': 'iothread', 'id': 'late', 'poll-max-ns': 7}");
    assertTrue(hasThread("iothread-late"));
    done("blockdev-add", "{'driver': 'null-co', 'node-name': 'disk', 'size': 1048576}");
    done("x-blockdev-set-iothread", "{'node-name': 'disk', 'iothread': 'late'}");
    refused(
        "object 'late' is in use, can not be deleted: node 'disk' is served there",
        "object-del",
        "{'id': 'late'}");
    returns("7", "qom-get", "{'path': '/objects/late', 'property': 'poll-max-ns'}");
    done("x-blockdev-set-iothread", "{'node-name': 'disk', 'iothread': 'io0'}");
    done("object-del", "{'id': 'late'}");
    assertFalse(hasThread("iothread-late"));
    refused("object 'late' not found", "object-del", "{'id': 'late'}");
    refused(
        "Cannot find iothread 'late'",
        "x-blockdev-set-iothread",
        "{'node-name': 'disk', 'iothread': 'late'}");
  }

  @Test
  void aThrottleGroupChangesAndStaysWhileADiskIsInIt() throws Exception {
    done("object-add", "{'qom-type': 'throttle-group', 'id': 'tg', 'limits': {'iops-total': 5}}");
    done(
        "blockdev-add",
        "{'driver': 'throttle', 'node-name': 'slow', 'throttle-group': 'tg',"
            + " 'file': {'driver': 'null-co', 'size': 4096}}");
    refused("object 'tg' is in use, can not be deleted", "object-del", "{'id': 'tg'}");
    done("qom-set", "{'path': 'tg', 'property': 'x-iops-total-max', 'value': 9}");
    done("qom-set", "{'path': 'tg', 'property': 'limits', 'value': {'bps-read': 4096}}");
    JsonNode limits = ask("qom-get", "{'path': 'tg', 'property': 'limits'}").get("return");
    assertEquals(5, limits.get("iops-total").asInt());
    assertEquals(9, limits.get("iops-total-max").asInt());
    assertEquals(4096, limits.get("bps-read").asInt());
    refused(
        "qom-set: iops-total-max (2) is less than iops-total (5)",
        "qom-set",
        "{'path': 'tg', 'property': 'limits', 'value': {'iops-total-max': 2}}");
    returns("9", "qom-get", "{'path': 'tg', 'property': 'x-iops-total-max'}");
    done("blockdev-del", "{'node-name': 'slow'}");
    done("object-del", "{'id': 'tg'}");
    returns("[]", "qom-list-types", "{'implements': 'nothing'}");
  }

  @Test
  void thePollingOfAnIothreadChanges() throws Exception {
    done("qom-set", "{'path': '/objects/io0', 'property': 'poll-max-ns', 'value': 1234}");
    JsonNode thread = ask("query-iothreads", "{}").get("return").get(0);
    assertEquals(1234, thread.get("poll-max-ns").asLong());
    returns("1234", "qom-get", "{'path': 'io0', 'property': 'poll-max-ns'}");
  }

  @Test
  void aSecretTellsNothing() throws Exception {
    done("object-add", "{'qom-type': 'secret', 'id': 'sec', 'data': 'hush'}");
    returns("[{'name': 'type', 'type': 'string'}]", "qom-list", "{'path': '/objects/sec'}");
    returns("'secret'", "qom-get", "{'path': 'sec', 'property': 'type'}");
    refused(
        "attempt to add duplicate property 'sec' to object (type 'container')",
        "object-add",
        "{'qom-type': 'iothread', 'id': 'sec'}");
    assertFalse(hasThread("iothread-sec"), "what is refused leaves nothing");
    done("object-del", "{'id': 'sec'}");
  }

  @Test
  void theTreeIsListed() throws Exception {
    returns(
        "[{'name': 'type', 'type': 'string'}, {'name': 'io0', 'type': 'child<iothread>'}]",
        "qom-list",
        "{'path': '/objects'}");
    returns(
        "[{'name': 'iothread', 'parent': 'object'}]",
        "qom-list-types",
        "{'implements': 'iothread'}");
    JsonNode properties =
        ask("device-list-properties", "{'typename': 'virtio-rng-pci'}").get("return");
    assertTrue(properties.toString().contains("\"packed\""), properties.toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          object-add | {'qom-type': 'nothing', 'id': 'x'} | Parameter 'qom-type' does not accept value 'nothing'
          object-add | {'qom-type': 'iothread', 'id': '1x'} | object-add: '1x' is no id: a letter, then letters, digits, '-', '.' or '_'
          object-add | {'qom-type': 'iothread', 'id': 'x', 'poll': 1} | object-add: unknown parameter 'poll' (did you mean 'poll-grow'?)
          object-add | {'qom-type': 'iothread'} | object-add: parameter 'id' is missing
          qom-list | {'path': '/nowhere'} | Device '/nowhere' not found
          qom-get | {'path': 'io0', 'property': 'colour'} | Property 'iothread.colour' not found
          qom-set | {'path': 'io0', 'property': 'type', 'value': 'x'} | Property 'iothread.type' is not writable
          qom-set | {'path': 'io0', 'property': 'poll-max-ns', 'value': -1} | qom-set: parameter 'poll-max-ns' is '-1', expected a number from 0 to 9223372036854775807
          device-list-properties | {'typename': 'iothread'} | Parameter 'typename' expects a non-abstract device type
          device-list-properties | {'typename': 'nothing'} | Device 'nothing' not found
          """)
  void whatIsWrongIsSaid(String command, String arguments, String sentence) throws Exception {
    refused(sentence, command, arguments);
    returns(
        "[{'name': 'type', 'type': 'string'}, {'name': 'io0', 'type': 'child<iothread>'}]",
        "qom-list",
        "{'path': '/objects'}");
  }
}
