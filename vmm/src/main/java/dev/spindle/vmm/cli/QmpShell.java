// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.json.JsonException;
import dev.spindle.vmm.json.JsonText;
import dev.spindle.vmm.qmp.QmpClient;
import dev.spindle.vmm.qmp.QmpException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParseResult;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** {@code spindle qmp}: one command over a monitor's socket, its reply as JSON. */
final class QmpShell implements Callable<Integer> {
  /** After which it is said that no greeting has come. */
  private static final long PATIENCE_SECONDS = 3;

  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);

  private QmpShell() {
    spec.addPositional(
        PositionalParamSpec.builder()
            .index("0")
            .paramLabel("SOCKET")
            .required(true)
            .type(String.class)
            .description("The monitor's socket: its path, or tcp:HOST:PORT.")
            .build());
    spec.addPositional(
        PositionalParamSpec.builder()
            .index("1")
            .paramLabel("COMMAND")
            .required(true)
            .type(String.class)
            .description("A command of QMP, query-commands for one.")
            .build());
    spec.addPositional(
        PositionalParamSpec.builder()
            .index("2..*")
            .arity("0..*")
            .paramLabel("KEY=VALUE")
            .type(List.class)
            .auxiliaryTypes(String.class)
            .description(
                "Its arguments. Numbers, true, false and what begins with { or [ are JSON,"
                    + " anything else is text, and so is JSON's \"…\"; a.b=c is b within a.")
            .build());
  }

  /** Makes the command's model. */
  static CommandSpec spec() {
    return new QmpShell().spec;
  }

  @Override
  public Integer call() throws IOException, OptionException {
    ParseResult parsed = spec.commandLine().getParseResult();
    String socket = parsed.matchedPositionalValue(0, "");
    String command = parsed.matchedPositionalValue(1, "");
    ObjectNode arguments = arguments(parsed.matchedPositionalValue(2, List.of()));
    CompletableFuture<Void> greeted = new CompletableFuture<>();
    greeted
        .orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS)
        .exceptionally(_ -> sayThatItWaits(socket));
    try (QmpClient client = QmpClient.connect(socket)) {
      greeted.complete(null);
      client.execute("qmp_capabilities", JsonNodeFactory.instance.objectNode());
      JsonNode result = client.execute(command, arguments);
      spec.commandLine().getOut().println(pretty(result));
      return ExitCode.OK;
    } catch (QmpException e) {
      throw new IOException(command + ": " + e.getMessage(), e);
    }
  }

  private Void sayThatItWaits(String socket) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(
        "spindle: waiting for a greeting from " + socket + "; it may be serving another client");
    err.flush();
    return null;
  }

  private static String pretty(JsonNode result) {
    return JsonMapper.builder()
        .enable(SerializationFeature.INDENT_OUTPUT)
        .build()
        .writeValueAsString(result);
  }

  /** Makes an object of the arguments. */
  static ObjectNode arguments(List<String> given) throws OptionException {
    ObjectNode arguments = JsonNodeFactory.instance.objectNode();
    for (String argument : given) {
      int equals = argument.indexOf('=');
      if (equals < 1) {
        throw new OptionException("expected KEY=VALUE, not '" + argument + "'");
      }
      put(arguments, argument.substring(0, equals), argument.substring(equals + 1));
    }
    return arguments;
  }

  private static void put(ObjectNode arguments, String key, String value) throws OptionException {
    ObjectNode object = arguments;
    String[] path = key.split("\\.", -1);
    for (int i = 0; i < path.length - 1; i++) {
      JsonNode inner = object.get(path[i]);
      if (inner == null) {
        object = object.putObject(path[i]);
      } else if (inner instanceof ObjectNode found) {
        object = found;
      } else {
        throw new OptionException("'" + key + "': '" + path[i] + "' has a value already");
      }
    }
    if (object.has(path[path.length - 1])) {
      throw new OptionException("'" + key + "' is given twice");
    }
    object.set(path[path.length - 1], value(key, value));
  }

  private static JsonNode value(String key, String value) throws OptionException {
    if (!value.matches("-?\\d+|true|false|[{\\[\"].*")) {
      return JsonNodeFactory.instance.stringNode(value);
    }
    try {
      return JsonText.qmpValue(value);
    } catch (JsonException e) {
      throw new OptionException("'" + key + "': not JSON: " + e.getMessage());
    }
  }
}
