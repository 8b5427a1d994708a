// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.linux.Endpoint;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.MonitorOption;
import dev.spindle.vmm.qmp.QmpClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** A machine of this process, and a client that controls it over QMP. */
public final class MonitoredMachine implements AutoCloseable {
  private final MachineMonitors monitors;
  private final QmpClient client;

  /** Opens a monitor with a socket in {@code folder}, and connects to it. */
  public MonitoredMachine(VirtualMachine machine, Path folder) throws IOException {
    Path socket = folder.resolve("qmp");
    monitors =
        new MachineMonitors(
            machine, List.of(new MonitorOption.Server("qmp", new Endpoint.Unix(socket), false)));
    client = QmpClient.connect(socket);
    ask("qmp_capabilities");
  }

  /** Gives a command without arguments; returns what it returns. */
  public JsonNode ask(String command) throws IOException {
    return ask(command, "");
  }

  /**
   * Gives a command; returns what it returns.
   *
   * @param arguments members of an object
   */
  public JsonNode ask(String command, String arguments, Object... values) throws IOException {
    ObjectNode reply = send(command, arguments.formatted(values));
    assertEquals("", reply.path("error").path("desc").asString(""), command + " " + arguments);
    return reply.path("return");
  }

  /** Gives a command that is refused; returns the sentence. */
  public String refused(String command, String arguments, Object... values) throws IOException {
    return send(command, arguments.formatted(values)).path("error").path("desc").asString("");
  }

  private ObjectNode send(String command, String arguments) throws IOException {
    client.send(
        String.format(Locale.ROOT, "{'execute': '%s', 'arguments': {%s}}", command, arguments));
    return client.reply();
  }

  /** Waits for an event and returns its data; those that come before it are dropped. */
  public JsonNode await(String event) throws IOException {
    while (true) {
      ObjectNode next = client.event();
      if (next.path("event").asString().equals(event)) {
        return next.path("data");
      }
    }
  }

  @Override
  public void close() throws IOException {
    client.close();
    monitors.close();
  }
}
