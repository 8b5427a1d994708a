// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class EndingTest {
  private static final int TERM = 15;

  private final StringWriter err = new StringWriter();
  private final CompletableFuture<Integer> halted = new CompletableFuture<>();
  private final List<String> done = new ArrayList<>();

  private Ending ending(Duration patience) {
    Ending ending =
        new Ending(
            patience,
            new PrintWriter(err),
            status -> {
              done.add("halt");
              halted.complete(status);
            });
    ending.last(() -> done.add("last"));
    return ending;
  }

  @Test
  void oneSignalEndsItInGoodOrder() throws Exception {
    Ending ending = ending(Duration.ofDays(1));
    ending.signal(TERM);
    ending.asked().join();
    ending.over();
    assertFalse(halted.isDone());
    assertEquals(List.of(), done);
  }

  @Test
  void theSecondEndsItAtOnce() {
    Ending ending = ending(Duration.ofDays(1));
    ending.signal(TERM);
    ending.signal(2);
    assertEquals(130, halted.join());
    assertEquals(List.of("last", "halt"), done);
    assertEquals("", err.toString());
  }

  @Test
  void whatDoesNotEndIsNamed() {
    Ending ending = ending(Duration.ofMillis(1));
    ending.step("closing node 'a'");
    ending.step("closing node 'b'");
    ending.signal(TERM);
    assertEquals(1, halted.join());
    assertEquals(List.of("last", "halt"), done);
    assertEquals(
        "spindle: closing node 'b' has not ended within 0.001 s of the signal; the process ends all"
            + " the same\n",
        err.toString());
  }
}
