// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.json.JsonException;
import dev.spindle.vmm.json.JsonText;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * One client's conversation (QMP specification). Its own thread reads; commands are carried out in
 * order by a second thread, so that those out of band can pass them; a third one writes.
 */
final class QmpMonitor {
  private static final Logger LOG = LoggerFactory.getLogger(QmpMonitor.class);
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  /** Commands that may wait; with more, nothing is read, as in QEMU. */
  private static final int MOST_WAITING = 8;

  /** So long may a command be; as many as may wait have to fit into the heap several times. */
  private static final int MOST_COMMAND_BYTES = 1 << 20;

  static final String NEGOTIATION = "qmp_capabilities";

  /** Something that is to be done in order. */
  private sealed interface Work {
    /** A command. */
    record Execute(QmpRequest request) implements Work {}

    /** To tell what is wrong with an input. */
    record Refuse(Optional<JsonNode> id, QmpException reason) implements Work {}

    /** Nothing comes after this. */
    record End() implements Work {}
  }

  private final String name;
  private final JsonFramer input;
  private final MonitorOutput output;
  private final MonitorSite site;
  private final Thread executor;
  private final BlockingQueue<Work> work = new ArrayBlockingQueue<>(MOST_WAITING);

  /** Whether the client has said which capabilities it wants. Written by the executing thread. */
  private volatile boolean negotiated;

  private volatile boolean outOfBandEnabled;

  /**
   * Begins a conversation with a greeting.
   *
   * @param hangUp ends the connection, whoever reads or writes it; any thread
   */
  QmpMonitor(
      String name, InputStream input, OutputStream output, MonitorSite site, Runnable hangUp) {
    this.name = name;
    this.input = new JsonFramer(input, MOST_COMMAND_BYTES);
    this.output = new MonitorOutput(name, output, hangUp);
    this.site = site;
    this.output.say(greeting());
    site.events().add(this);
    this.executor = Thread.ofPlatform().daemon().name(name + "-commands").start(this::executeAll);
  }

  /** Converses until the client has said all, and all has been answered. Waits. */
  void run() {
    try {
      readAll();
    } catch (IOException e) {
      LOG.debug("{}: the client has gone: {}", name, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      finish();
    }
  }

  /**
   * Has all answered that has been read, and says no more, whatever else the client may send. Not
   * from control work; waits.
   */
  void finish() {
    try {
      work.put(new Work.End());
      executor.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    site.events().remove(this);
    output.close();
  }

  private ObjectNode greeting() {
    ObjectNode version = NODES.objectNode();
    version.set("version", ReplyWriter.write(site.version()));
    version.set("capabilities", NODES.arrayNode().add("oob"));
    ObjectNode greeting = NODES.objectNode();
    greeting.set("QMP", version);
    return greeting;
  }

  /** Tells an event, if the client is ready for events. Any thread; does not wait. */
  void event(ObjectNode message) {
    if (negotiated) {
      output.say(message);
    }
  }

  private void readAll() throws IOException, InterruptedException {
    while (true) {
      String text;
      try {
        text = input.next();
      } catch (JsonFramer.Malformed e) {
        refuseText(e.getMessage());
        continue;
      }
      if (text == null) {
        return;
      }
      try {
        read(text);
      } catch (OutOfMemoryError e) {
        refuseText("there is not enough memory for it");
      }
    }
  }

  private void refuseText(String reason) throws InterruptedException {
    work.put(new Work.Refuse(Optional.empty(), new QmpException("JSON parse error, " + reason)));
  }

  private void read(String text) throws InterruptedException {
    JsonNode value;
    try {
      value = JsonText.qmpValue(text);
    } catch (JsonException e) {
      refuseText(e.getMessage());
      return;
    }
    try {
      QmpRequest request = QmpRequest.read(value);
      if (request.outOfBand() && outOfBandEnabled) {
        output.say(execute(request));
      } else {
        work.put(new Work.Execute(request));
      }
    } catch (QmpException e) {
      work.put(new Work.Refuse(QmpRequest.id(value), e));
    }
  }

  private void executeAll() {
    try {
      while (true) {
        switch (work.take()) {
          case Work.Execute(QmpRequest request) -> output.say(execute(request));
          case Work.Refuse(Optional<JsonNode> id, QmpException reason) ->
              output.say(error(id, reason));
          case Work.End() -> {
            return;
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private ObjectNode execute(QmpRequest request) {
    try {
      ObjectNode reply = NODES.objectNode();
      reply.set(
          "return", request.command().equals(NEGOTIATION) ? negotiate(request) : run(request));
      request.id().ifPresent(id -> reply.set("id", id));
      return reply;
    } catch (QmpException e) {
      return error(request.id(), e);
    } catch (OptionException | IOException | IllegalArgumentException e) {
      return error(request.id(), new QmpException(e.getMessage()));
    } catch (RejectedExecutionException e) {
      return error(request.id(), new QmpException("'" + request.command() + "' comes too late"));
    } catch (RuntimeException | Error e) {
      LOG.error("{}: {} failed", name, request.command(), e);
      return error(request.id(), new QmpException("Internal error: " + e));
    }
  }

  private JsonNode negotiate(QmpRequest request) throws QmpException {
    if (negotiated) {
      throw new QmpException(
          QmpErrorClass.COMMAND_NOT_FOUND,
          "Capabilities negotiation is already complete, command ignored");
    }
    Capabilities wanted = ArgumentReader.read(request.arguments(), Capabilities.class);
    outOfBandEnabled = wanted.enable().map(list -> list.contains(Capability.OOB)).orElse(false);
    negotiated = true;
    return NODES.objectNode();
  }

  private JsonNode run(QmpRequest request) throws QmpException, OptionException, IOException {
    if (!negotiated) {
      throw new QmpException(
          QmpErrorClass.COMMAND_NOT_FOUND,
          "Expecting capabilities negotiation with '" + NEGOTIATION + "'");
    }
    CommandTable.Bound<?, ?, ?> bound = site.commands().find(request.command());
    if (bound == null) {
      throw new QmpException(
          QmpErrorClass.COMMAND_NOT_FOUND,
          "The command " + request.command() + " has not been found");
    }
    QmpCommand.Place place = bound.command().place();
    if (request.outOfBand()) {
      if (!outOfBandEnabled) {
        throw new QmpException("Out-of-band execution has not been enabled: see " + NEGOTIATION);
      }
      if (place != QmpCommand.Place.ANYWHERE) {
        throw new QmpException("The command " + request.command() + " does not support OOB");
      }
      return bound.run(request.arguments());
    }
    return place == QmpCommand.Place.MONITOR
        ? bound.run(request.arguments())
        : runAsControl(bound, request);
  }

  private JsonNode runAsControl(CommandTable.Bound<?, ?, ?> bound, QmpRequest request)
      throws QmpException, OptionException, IOException {
    // One exception type at a time passes through control work.
    Object outcome =
        site.mainLoop()
            .control(
                "qmp-" + request.command(),
                () -> {
                  try {
                    return bound.run(request.arguments());
                  } catch (QmpException | OptionException | IOException e) {
                    return e;
                  }
                });
    return switch (outcome) {
      case QmpException e -> throw e;
      case OptionException e -> throw e;
      case IOException e -> throw e;
      default -> (JsonNode) outcome;
    };
  }

  private static ObjectNode error(Optional<JsonNode> id, QmpException reason) {
    ObjectNode what = NODES.objectNode();
    what.put("class", reason.errorClass().toString());
    what.put("desc", reason.getMessage());
    ObjectNode reply = NODES.objectNode();
    reply.set("error", what);
    id.ifPresent(value -> reply.set("id", value));
    return reply;
  }
}
