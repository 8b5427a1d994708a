// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.vmm.json.JsonException;
import dev.spindle.vmm.json.JsonText;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The other end of a QMP server's socket, Spindle's or QEMU's. One thread. */
public final class QmpClient implements AutoCloseable {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final int MOST_REPLY_BYTES = 16 << 20;

  private final Path socket;
  private final SocketChannel channel;
  private final JsonFramer input;
  private final Deque<ObjectNode> events = new ArrayDeque<>();
  private final ObjectNode greeting;

  private QmpClient(Path socket, SocketChannel channel) throws IOException {
    this.socket = socket;
    this.channel = channel;
    this.input = new JsonFramer(Channels.newInputStream(channel), MOST_REPLY_BYTES);
    this.greeting = receive();
    if (!greeting.has("QMP")) {
      throw new IOException(socket + ": whoever listens there does not speak QMP");
    }
  }

  /**
   * Connects, waits for the greeting, and negotiates nothing.
   *
   * @throws IOException with a sentence for the user
   */
  public static QmpClient connect(Path socket) throws IOException {
    SocketChannel channel;
    try {
      channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
    } catch (IOException e) {
      throw new IOException("cannot connect to '" + socket + "': " + e.getMessage(), e);
    }
    try {
      return new QmpClient(socket, channel);
    } catch (IOException | RuntimeException | Error e) {
      channel.close();
      throw e;
    }
  }

  /** What the server has said first. */
  public ObjectNode greeting() {
    return greeting;
  }

  /**
   * Has a command carried out.
   *
   * @return what it returns
   * @throws QmpException what the server's error reply says
   * @throws IOException if the connection is lost
   */
  public JsonNode execute(String command, ObjectNode arguments) throws IOException, QmpException {
    ObjectNode request = NODES.objectNode();
    request.put("execute", command);
    if (!arguments.isEmpty()) {
      request.set("arguments", arguments);
    }
    send(request.toString());
    ObjectNode reply = reply();
    JsonNode error = reply.get("error");
    if (error != null) {
      throw new QmpException(errorClass(error.path("class").asString("")), text(error));
    }
    return reply.get("return");
  }

  private static String text(JsonNode error) {
    return error.path("desc").asString("an error without a description");
  }

  private static QmpErrorClass errorClass(String spelled) {
    for (QmpErrorClass errorClass : QmpErrorClass.values()) {
      if (errorClass.toString().equals(spelled)) {
        return errorClass;
      }
    }
    return QmpErrorClass.GENERIC_ERROR;
  }

  /** Sends a text as it is, with an end of line. */
  public void send(String text) throws IOException {
    send((text + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /** Sends bytes as they are. */
  public void send(byte[] bytes) throws IOException {
    ByteBuffer rest = ByteBuffer.wrap(bytes);
    while (rest.hasRemaining()) {
      channel.write(rest);
    }
  }

  /** Waits for the next message that is no event; events that come first are kept. */
  public ObjectNode reply() throws IOException {
    while (true) {
      ObjectNode message = receive();
      if (!message.has("event")) {
        return message;
      }
      events.add(message);
    }
  }

  /** Waits for the next event, or takes the first of those that have come. */
  public ObjectNode event() throws IOException {
    ObjectNode kept = events.poll();
    if (kept != null) {
      return kept;
    }
    ObjectNode message = receive();
    if (!message.has("event")) {
      throw new IOException(socket + ": a reply where an event was expected: " + message);
    }
    return message;
  }

  private ObjectNode receive() throws IOException {
    try {
      String text = input.next();
      if (text == null) {
        throw new IOException(socket + ": the server has closed the connection");
      }
      return JsonText.object(text);
    } catch (JsonFramer.Malformed | JsonException e) {
      throw new IOException(socket + ": the server sends no JSON: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
