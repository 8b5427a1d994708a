// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.spindle.devices.serial.Uart16550;
import dev.spindle.vmm.chardev.Chardev;
import dev.spindle.vmm.chardev.ChardevOption;
import dev.spindle.vmm.chardev.Chardevs;
import dev.spindle.vmm.guest.GuestEvents.Line;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GuestEventsTest {
  private static Line line(String text) throws IOException, InterruptedException {
    try (GuestEvents events = new GuestEvents()) {
      events.write((text + "\r\n").getBytes(StandardCharsets.UTF_8));
      return events.next();
    }
  }

  @Test
  void anObjectWithANameIsAnEvent() throws Exception {
    Line.Event event =
        assertInstanceOf(
            Line.Event.class, line("spindle: {\"event\": \"boot\", \"cpus\": 2, \"log\": null}"));
    assertEquals("boot", event.name());
    assertEquals(2, event.members().path("cpus").intValue());
    assertEquals("", event.members().path("log").stringValue(""));
    assertEquals("", event.members().path("missing").stringValue(""));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[    0.1] Linux version",
        "spindle: {\"event\": \"fio-res",
        "spindle: {\"event\": 1}",
        "spindle: {\"cpus\": 2}",
        "spindle: [\"event\"]",
        "spindle: "
      })
  void anythingElseIsKeptAsItIs(String text) throws Exception {
    assertEquals(new Line.Other(text), line(text));
  }

  /** A machine may end right after the last byte, before any other thread has run. */
  @Test
  void theEndComesAfterAllThatWasSent() throws Exception {
    GuestEvents events = new GuestEvents();
    ChardevOption report =
        new GuestMachine("test", Path.of("kernel"), Path.of("initrd"))
            .config("quiet", Path.of("console"), events)
            .serialPorts()
            .getLast();
    try (Chardev chardev = Chardevs.open("serial1", report, () -> {}).orElseThrow()) {
      Uart16550 port = new Uart16550(level -> {}, chardev.sink());
      for (byte value : "spindle: {\"event\": \"result\"}\n".getBytes(StandardCharsets.UTF_8)) {
        port.writeByte(0, value);
      }
      events.close();
      assertInstanceOf(Line.Event.class, events.next());
      assertInstanceOf(Line.End.class, events.next());
    }
  }
}
