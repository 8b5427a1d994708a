// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.vmm.json.JsonException;
import dev.spindle.vmm.json.JsonText;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import tools.jackson.databind.JsonNode;

/**
 * What a guest reports over its second serial port: lines of {@code spindle: } and one JSON object.
 * Other lines, and the end of the stream, are events of their own.
 *
 * <p>As a port's sink it has a line at once when the guest has sent its last byte, so that a
 * machine's end, announced by {@link #close}, never comes before what the guest said until then.
 */
public final class GuestEvents extends OutputStream implements SerialSink {
  private static final String PREFIX = "spindle: ";

  /** One line of the guest's report, or the end of it. */
  public sealed interface Line {
    /** An event. */
    record Event(String name, JsonNode members) implements Line {}

    /** Something that is no event. */
    record Other(String text) implements Line {}

    /** The port has been closed: nothing follows. */
    record End() implements Line {}
  }

  /** Not yet told apart: that is for whoever reads, not for the vCPU that sends. */
  private final BlockingQueue<Line> lines = new LinkedBlockingQueue<>();

  private final ByteArrayOutputStream line = new ByteArrayOutputStream();

  @Override
  public void write(int value) {
    if (value == '\n') {
      lines.add(new Line.Other(line.toString(StandardCharsets.UTF_8)));
      line.reset();
    } else if (value != '\r') {
      line.write(value);
    }
  }

  @Override
  public boolean offer(byte value) {
    write(value);
    return true;
  }

  /** There is always room. */
  @Override
  public void onRoom(Runnable action) {}

  /** Announces the end of what the guest says. */
  @Override
  public void close() {
    lines.add(new Line.End());
  }

  /** Waits for the next line. */
  public Line next() throws InterruptedException {
    Line next = lines.take();
    return next instanceof Line.Other(String text) ? read(text) : next;
  }

  private static Line read(String text) {
    if (!text.startsWith(PREFIX)) {
      return new Line.Other(text);
    }
    try {
      JsonNode members = JsonText.object(text.substring(PREFIX.length()));
      String name = members.path("event").stringValue(null);
      return name == null ? new Line.Other(text) : new Line.Event(name, members);
    } catch (JsonException e) {
      // A guest that died in mid-line: the line itself says more than the parser does.
      return new Line.Other(text);
    }
  }
}
