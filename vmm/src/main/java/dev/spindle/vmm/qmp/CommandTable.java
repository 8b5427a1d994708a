// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The commands and events that there are, the commands with what they act upon. */
public final class CommandTable {
  private final Map<String, Bound<?, ?, ?>> commands = new LinkedHashMap<>();
  private final List<QmpEvent<?>> events = new ArrayList<>();

  /** A command and what it acts upon. */
  record Bound<C, A extends Record, R>(QmpCommand<C, A, R> command, C control) {
    /**
     * Carries it out.
     *
     * @return what {@code return} is in the reply
     */
    JsonNode run(ObjectNode arguments) throws QmpException, OptionException, IOException {
      A read = ArgumentReader.read(arguments, command.arguments());
      return ReplyWriter.write(command.handler().run(control, read));
    }
  }

  /** Adds commands that act upon one thing; it may be null where they are only to be described. */
  public <C> CommandTable add(List<QmpCommand<C, ?, ?>> added, C control) {
    for (QmpCommand<C, ?, ?> command : added) {
      if (commands.put(command.name(), new Bound<>(command, control)) != null) {
        throw new IllegalStateException("two commands '" + command.name() + "'");
      }
    }
    return this;
  }

  /** Adds events that may be told. */
  public CommandTable addEvents(List<? extends QmpEvent<?>> added) {
    events.addAll(added);
    return this;
  }

  /** One of them; null if there is none. */
  Bound<?, ?, ?> find(String name) {
    return commands.get(name);
  }

  /** All of them, in the order of adding. */
  public Collection<? extends QmpCommand<?, ?, ?>> commands() {
    return commands.values().stream().map(Bound::command).toList();
  }

  /** The names of all commands, that of the negotiation included. */
  public List<String> names() {
    List<String> names = new ArrayList<>(commands.keySet());
    names.addFirst(QmpMonitor.NEGOTIATION);
    return names;
  }

  /** What {@code query-qmp-schema} tells. */
  public List<ObjectNode> schema() {
    return QmpSchema.of(this);
  }

  /** All of them, in the order of adding. */
  public List<QmpEvent<?>> events() {
    return List.copyOf(events);
  }
}
