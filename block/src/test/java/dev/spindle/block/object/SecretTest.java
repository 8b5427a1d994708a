// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.object;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SecretTest {
  @TempDir Path folder;

  private static Secret read(Map<String, String> given) throws OptionException {
    Map<String, String> all = new HashMap<>(given);
    all.put("id", "s");
    return Secret.read(new Options("--object s", all));
  }

  private static void assertRefused(String sentence, Map<String, String> given) {
    OptionException refusal = assertThrows(OptionException.class, () -> read(given));
    assertEquals("--object s: " + sentence, refusal.getMessage());
  }

  @Test
  void textIsTakenAsItIsOrDecoded() throws Exception {
    assertArrayEquals("pass\n".getBytes(UTF_8), read(Map.of("data", "pass\n")).data());
    assertArrayEquals(
        new byte[] {0, 1, 2, 3, 4},
        read(Map.of("data", " AAEC\nAwQ=\r\n", "format", "base64")).data());
    Path file = Files.write(folder.resolve("key"), "AAEC\n".getBytes(UTF_8));
    assertArrayEquals(
        new byte[] {0, 1, 2}, read(Map.of("file", file.toString(), "format", "base64")).data());
    assertFalse(read(Map.of("data", "hush")).toString().contains("hush"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"@@@", "A", "AAEC====", "AA EC!", "AA=E"})
  void whatIsNoBase64TextIsRefused(String text) {
    assertRefused("the secret is no base64 text", Map.of("data", text, "format", "base64"));
  }

  @Test
  void whereItIsMustBeSaidOnce() {
    String sentence = "one of 'data' and 'file' must be given, and not both";
    assertRefused(sentence, Map.of());
    assertRefused(sentence, Map.of("data", "a", "file", "b"));
    Path missing = folder.resolve("missing");
    assertRefused(
        "'" + missing + "' cannot be read: there is no such file",
        Map.of("file", missing.toString()));
  }
}
