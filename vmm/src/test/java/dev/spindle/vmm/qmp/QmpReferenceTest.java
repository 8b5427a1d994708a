// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.vmm.qmp.command.BitmapCommands;
import dev.spindle.vmm.qmp.command.BlockCommands;
import dev.spindle.vmm.qmp.command.ChainCommands;
import dev.spindle.vmm.qmp.command.DeviceCommands;
import dev.spindle.vmm.qmp.command.DiskCommands;
import dev.spindle.vmm.qmp.command.ExportCommands;
import dev.spindle.vmm.qmp.command.ExportEvents;
import dev.spindle.vmm.qmp.command.HardwareCommands;
import dev.spindle.vmm.qmp.command.JobCommands;
import dev.spindle.vmm.qmp.command.JobEvents;
import dev.spindle.vmm.qmp.command.MachineCommands;
import dev.spindle.vmm.qmp.command.MachineEvents;
import dev.spindle.vmm.qmp.command.MonitorCommands;
import dev.spindle.vmm.qmp.command.NewJobCommands;
import dev.spindle.vmm.qmp.command.ObjectCommands;
import dev.spindle.vmm.qmp.command.QomCommands;
import dev.spindle.vmm.qmp.command.ResizeCommands;
import dev.spindle.vmm.qmp.command.StatsCommands;
import dev.spindle.vmm.qmp.command.ThrottleCommands;
import dev.spindle.vmm.qmp.command.TransactionCommands;
import java.io.IOException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The lists of commands and events in docs/qmp.md are what the declarations say; with {@code
 * -Dqmp.reference=write} they are written anew.
 */
class QmpReferenceTest {
  private static final Path PAGE = Path.of("..", "docs", "qmp.md");
  private static final String BEGIN = "<!-- From here on made from the declarations. -->\n";

  private final StringBuilder text = new StringBuilder();

  @Test
  void thePageSaysWhatIsDeclared() throws IOException {
    commands("The program and its monitors", MonitorCommands.all());
    commands("The machine (`run` alone)", MachineCommands.all());
    commands("vCPUs and PCI (`run` alone)", HardwareCommands.all());
    commands("Disks (`run` alone)", DiskCommands.all());
    commands("What disks have been asked for (`run` alone)", StatsCommands.all());
    commands("Limits of disks (`run` alone)", ThrottleCommands.all());
    commands("Devices that come and go (`run` alone)", DeviceCommands.all());
    commands("Objects", ObjectCommands.all());
    commands("What there is, and its properties", QomCommands.all());
    commands("Nodes", BlockCommands.all());
    commands("Lengths of nodes", ResizeCommands.all());
    commands("Dirty bitmaps", BitmapCommands.all());
    commands("New jobs", NewJobCommands.all());
    commands("Backing chains", ChainCommands.all());
    commands("Transactions", TransactionCommands.all());
    commands("Jobs", JobCommands.all());
    commands("Exports", ExportCommands.all());
    text.append("## Events\n\n| event | what has happened | data |\n| --- | --- | --- |\n");
    events(MachineEvents.ALL);
    events(JobEvents.ALL);
    events(ExportEvents.ALL);
    String page = Files.readString(PAGE);
    String rest = page.substring(0, page.indexOf(BEGIN) + BEGIN.length());
    String expected = rest + "\n" + text;
    if ("write".equals(System.getProperty("qmp.reference"))) {
      Files.writeString(PAGE, expected);
    }
    assertEquals(expected, Files.readString(PAGE), "see the comment of this class");
  }

  private void commands(String title, List<? extends QmpCommand<?, ?, ?>> commands) {
    text.append("## ")
        .append(title)
        .append(
            "\n\n| command | what it does | arguments | returns |\n| --- | --- | --- | --- |\n");
    for (QmpCommand<?, ?, ?> command : commands) {
      String outOfBand = command.place() == QmpCommand.Place.ANYWHERE ? " (oob)" : "";
      text.append("| `%s`%s ".formatted(command.name(), outOfBand))
          .append("| %s ".formatted(command.text()))
          .append("| %s ".formatted(arguments(command.arguments())))
          .append("| %s |\n".formatted(returned(command.returns())));
    }
    text.append('\n');
  }

  private void events(List<? extends QmpEvent<?>> events) {
    for (QmpEvent<?> event : events) {
      text.append(
          "| `%s` | %s | %s |\n".formatted(event.name(), event.text(), arguments(event.data())));
    }
  }

  private static String arguments(Class<?> record) {
    if (OptionArguments.class.isAssignableFrom(record)) {
      String option =
          record == BlockCommands.BlockdevOptions.class
              ? "blockdev"
              : record == ObjectCommands.NewObject.class
                  ? "object"
                  : record == DeviceCommands.NewDevice.class ? "device" : "export";
      return "as `--%s` takes them".formatted(option);
    }
    return Members.of(record).stream()
        .map(
            member ->
                "`%s`%s: %s"
                    .formatted(
                        member.name(), member.optional() ? " (optional)" : "", type(member.type())))
        .collect(Collectors.joining("; "));
  }

  private static String returned(QmpCommand.ReplyType<?> reply) {
    return reply
        .element()
        .map(
            element ->
                element == ObjectNode.class
                    ? "a list of objects"
                    : element == JsonNode.class
                        ? "any value"
                        : element == String.class
                            ? "text"
                            : (reply.isList() ? "a list of " : "") + members(element))
        .orElse("");
  }

  private static String members(Class<?> record) {
    return Members.of(record).stream()
        .map(member -> "`" + member.name() + "`")
        .collect(Collectors.joining(", ", "{", "}"));
  }

  private static String type(Type type) {
    if (type instanceof ParameterizedType list) {
      return "list of " + type(Members.inner(list));
    }
    Class<?> wanted = (Class<?>) type;
    if (wanted.isEnum()) {
      return Arrays.stream(wanted.getEnumConstants())
          .map(word -> Members.word((Enum<?>) word))
          .collect(Collectors.joining(", ", "one of ", ""));
    }
    if (wanted == String.class) {
      return "text";
    }
    if (wanted == Boolean.class || wanted == boolean.class) {
      return "true or false";
    }
    if (wanted == StrOrNull.class) {
      return "text or null";
    }
    if (wanted == JsonNode.class) {
      return "any value";
    }
    if (wanted.isRecord()) {
      return members(wanted);
    }
    return wanted == ObjectNode.class ? "object" : "number";
  }
}
