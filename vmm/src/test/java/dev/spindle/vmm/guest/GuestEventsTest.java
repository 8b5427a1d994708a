// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.spindle.vmm.guest.GuestEvents.Line;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
}
