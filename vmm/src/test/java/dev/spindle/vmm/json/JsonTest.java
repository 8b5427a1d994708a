// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"a\": 1, \"b\": [true, false, null], \"c\": {}}",
        "[]",
        "-0.5E-3",
        "12345678901234567890.000000000000000001",
        "\"quote \\\" backslash \\\\ line \\n tab \\t \\u0001 \u00e9 \ud83d\ude00\"",
      })
  void valuesSurviveBeingReadAndWritten(String text) throws JsonException {
    Json value = Json.parse(text);
    assertEquals(value, Json.parse(value.toString()));
  }

  @Test
  void everyEscapeIsUnderstood() throws JsonException {
    Json.JsonString value = (Json.JsonString) Json.parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"");
    assertEquals("\"\\/\b\f\n\r\t\u00e9", value.value());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "`` | at character 1: a value is missing",
        "{ | at character 2: a string is missing",
        "{\"a\" 1} | at character 6: ':' is missing",
        "{\"a\": 1, } | at character 10: a string is missing",
        "[1 2] | at character 4: ']' is missing",
        "01 | at character 2: something follows the value",
        "- | at character 2: a digit is missing",
        "1. | at character 3: a digit is missing",
        "nul | at character 1: this is no JSON value",
        "'a' | at character 1: this is no JSON value",
        "\"a | at character 3: a string does not end",
        "\"\\x\" | at character 3: there is no escape \\x",
        "\"\\u12g4\" | at character 6: \\u needs four hexadecimal digits",
        "1e99999999999 | at character 14: a number is too large",
      })
  void whatIsNotJsonIsRefusedWithItsPlace(String text, String message) {
    assertEquals(message, assertThrows(JsonException.class, () -> Json.parse(text)).getMessage());
  }

  @Test
  void deepNestingIsRefusedRatherThanExhaustingTheStack() {
    String message =
        assertThrows(JsonException.class, () -> Json.parse("[".repeat(100_000))).getMessage();
    assertEquals("at character 514: values are nested too deeply", message);
  }
}
