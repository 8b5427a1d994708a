// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Tests that give commands one after the other. In arguments, FOLDER is the test's own. */
abstract class QmpAsking {
  @TempDir Path folder;
  QmpClient client;

  final JsonNode ask(String command, String arguments) throws IOException {
    client.send(
        "{'execute': '%s', 'arguments': {%s}}"
            .formatted(command, arguments.replace("FOLDER", folder.toString())));
    return client.reply();
  }

  final JsonNode returns(String command, String arguments) throws IOException {
    JsonNode reply = ask(command, arguments);
    assertTrue(reply.has("return"), reply.toString());
    return reply.get("return");
  }

  final void refused(String sentence, String command, String arguments) throws IOException {
    JsonNode reply = ask(command, arguments);
    assertEquals(sentence, reply.path("error").path("desc").asString(""), reply.toString());
  }
}
