// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.vmm.json.JsonException;
import dev.spindle.vmm.json.JsonText;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The other end of a QMP server's socket, Spindle's or QEMU's. One thread. */
public final class QmpClient implements AutoCloseable {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final int MOST_REPLY_BYTES = 16 << 20;
  private static final String UNIX = "unix:";

  private static final Pattern TCP = Pattern.compile("tcp:(.+):([0-9]{1,5})");
  private static final int MOST_PORT = 65535;

  private final String place;
  private final SocketChannel channel;
  private final JsonFramer input;
  private final Deque<ObjectNode> events = new ArrayDeque<>();
  private final ObjectNode greeting;

  private QmpClient(String place, SocketChannel channel) throws IOException {
    this.place = place;
    this.channel = channel;
    this.input = new JsonFramer(Channels.newInputStream(channel), MOST_REPLY_BYTES);
    this.greeting = receive();
    if (!greeting.has("QMP")) {
      throw new IOException(place + ": whoever listens there does not speak QMP");
    }
  }

  /**
   * Connects, waits for the greeting, and negotiates nothing.
   *
   * @throws IOException with a sentence for the user
   */
  public static QmpClient connect(Path socket) throws IOException {
    return connect(socket.toString(), UnixDomainSocketAddress.of(socket));
  }

  /**
   * As {@link #connect(Path)}, wherever a monitor may be.
   *
   * @param place {@code tcp:HOST:PORT}, {@code unix:PATH} or a path
   * @throws IOException with a sentence for the user
   */
  public static QmpClient connect(String place) throws IOException {
    Matcher tcp = TCP.matcher(place);
    if (!tcp.matches()) {
      return connect(Path.of(place.startsWith(UNIX) ? place.substring(UNIX.length()) : place));
    }
    int port = Integer.parseInt(tcp.group(2));
    if (port > MOST_PORT) {
      throw new IOException("'" + port + "' is no port, 0 to " + MOST_PORT);
    }
    InetSocketAddress address = new InetSocketAddress(tcp.group(1), port);
    if (address.isUnresolved()) {
      throw new IOException("there is no host '" + tcp.group(1) + "'");
    }
    return connect(place, address);
  }

  private static QmpClient connect(String place, SocketAddress address) throws IOException {
    SocketChannel channel;
    try {
      channel = SocketChannel.open(address);
    } catch (IOException e) {
      throw new IOException("cannot connect to '" + place + "': " + e.getMessage(), e);
    }
    try {
      return new QmpClient(place, channel);
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
      throw new IOException(place + ": a reply where an event was expected: " + message);
    }
    return message;
  }

  private ObjectNode receive() throws IOException {
    try {
      String text = input.next();
      if (text == null) {
        throw new IOException(place + ": the server has closed the connection");
      }
      return JsonText.object(text);
    } catch (JsonFramer.Malformed | JsonException e) {
      throw new IOException(place + ": the server sends no JSON: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
