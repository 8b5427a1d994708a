// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EscapeKeysTest {
  private final List<String> events = new ArrayList<>();
  private final EscapeKeys keys =
      new EscapeKeys(() -> events.add("quit"), text -> events.add("help: " + text));

  private String type(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    return new String(bytes, 0, keys.filter(bytes, bytes.length), StandardCharsets.ISO_8859_1);
  }

  @Test
  void onlyWhatFollowsControlAIsSpecial() {
    assertEquals("xh\u0003\u0018", type("xh\u0003\u0018"));
    assertEquals(List.of(), events);
    assertEquals("ab", type("a\u0001xb"));
    assertEquals(List.of("quit"), events);
  }

  @Test
  void controlATwiceSendsItOnceAndThePairMayComeInTwoReads() {
    assertEquals("a\u0001b", type("a\u0001\u0001b"));
    assertEquals("a", type("a\u0001"));
    assertEquals("b", type("Xb"));
    assertEquals(List.of("quit"), events);
  }

  @Test
  void helpNamesTheKeysAndUnknownOnesDoNothing() {
    assertEquals("ab", type("a\u0001qb"));
    assertEquals(List.of(), events);
    type("\u0001h");
    assertTrue(events.getFirst().contains("Ctrl-A X"), events.toString());
  }
}
