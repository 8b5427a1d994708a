// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KeyValueOptionsTest {
  @Test
  void theFirstPartMayGoWithoutItsKey() throws OptionException {
    Options options = KeyValueOptions.parse("--device", "virtio-blk-pci,id=vd0", "driver");
    assertEquals("virtio-blk-pci", options.require("driver"));
    assertEquals("--device vd0", options.owner());
    assertEquals(
        "virtio-blk-pci",
        KeyValueOptions.parse("--device", "driver=virtio-blk-pci", "driver").require("driver"));
  }

  @Test
  void jsonObjectsAndArraysBecomeDottedKeys() throws OptionException {
    Options options =
        KeyValueOptions.parse(
            "--device",
            """
            {"driver": "virtio-blk-pci", "num-queues": 2, "share-rw": true, "packed": false,
             "iothread-vq-mapping": [{"iothread": "a", "vqs": [0]}, {"iothread": "b"}]}
            """,
            "driver");
    assertEquals("virtio-blk-pci", options.require("driver"));
    assertEquals(2, options.number("num-queues", 1, 1, 10));
    assertTrue(options.bool("share-rw", false));
    assertEquals("off", options.any("packed").orElseThrow());
    Options mapping = options.nested("iothread-vq-mapping");
    assertEquals("a", mapping.require("0.iothread"));
    assertEquals("0", mapping.any("0.vqs.0").orElseThrow());
    assertEquals("b", mapping.require("1.iothread"));
    mapping.finish();
    options.finish();
  }

  @Test
  void wholeJsonNumbersAreExact() throws OptionException {
    Options options =
        KeyValueOptions.parse(
            "--blockdev",
            "{\"most\": 9223372036854775807, \"least\": -9223372036854775808,"
                + " \"unsigned\": 18446744073709551615}",
            null);
    assertEquals("9223372036854775807", options.any("most").orElseThrow());
    assertEquals("-9223372036854775808", options.any("least").orElseThrow());
    assertEquals("18446744073709551615", options.any("unsigned").orElseThrow());
  }

  @Test
  void jsonNumbersAndTruthValuesAreNoText() throws OptionException {
    Options options =
        KeyValueOptions.parse("--x", "{\"a\": 7, \"b\": {\"c\": true}, \"d\": \"7\"}", null);
    assertEquals(
        "--x: parameter 'a' is '7', expected a string",
        assertThrows(OptionException.class, () -> options.string("a")).getMessage());
    assertEquals(
        "--x: b: parameter 'c' is 'on', expected a string",
        assertThrows(OptionException.class, () -> options.nested("b").require("c")).getMessage());
    assertEquals("7", options.require("d"));
  }

  /** QAPI's way to say that an image is to have no backing file. */
  @Test
  void aBackingFileMayBeNull() throws OptionException {
    Options options =
        KeyValueOptions.parse("--x", "{\"backing\": null, \"file\": {\"backing\": null}}", null);
    assertEquals("", options.require("backing"));
    assertEquals("", options.nested("file").require("backing"));
  }

  @Test
  void deeplyNestedJsonIsRefused() {
    String argument = "{\"a\":".repeat(100_000);
    OptionException refusal =
        assertThrows(OptionException.class, () -> KeyValueOptions.parse("--x", argument, null));
    assertEquals(
        "--x: not JSON: line 1, column 2502: Document nesting depth (501) exceeds the maximum"
            + " allowed (500)",
        refusal.getMessage());
  }

  /** What is wrong is said in the library's words, as long as they are made for users. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"driver\": | 1, column 11",
        "{\"driver\" 1} | 1, column 11",
        "{\"a\": 1, } | 1, column 10",
        "{\"a\": 'b'} | 1, column 7",
        "{\"a\": \"b | 1, column 9",
        "{\"a\": 01} | 1, column 8",
        "{\"a\": NaN} | 1, column 10",
        "{\"a\": \"\\x\"} | 1, column 9",
        "{ | 1, column 2",
        "{} trailing | 1, column 4",
        "'{\n  \"driver\": file\n}' | 2, column 13",
      })
  void whatIsNotJsonIsRefusedWithItsPlaceInOneSentence(String argument, String place) {
    String sentence =
        assertThrows(OptionException.class, () -> KeyValueOptions.parse("--x", argument, null))
            .getMessage();
    assertTrue(sentence.startsWith("--x: not JSON: line " + place + ": "), sentence);
    assertTrue(sentence.matches("[^`\\n]*") && !sentence.contains("Source"), sentence);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "file | --x: expected key=value, not 'file'",
        "{\"driver\": null} | --x: parameter 'driver' is null",
        "{} {} | --x: not JSON: line 1, column 4: something follows the object",
        "{\"a\": 1, \"a\": 2} | --x: not JSON: line 1, column 13: Duplicate Object property \"a\"",
        "{\"a\": {\"b\": 1, \"b\": 1}} | --x: not JSON: line 1, column 19: Duplicate Object"
            + " property \"b\"",
        "{\"a.b\": 1, \"a\": {\"b\": 2}} | --x: parameter 'a.b' is given twice",
      })
  void whatHasNeitherFormIsRefused(String argument, String sentence) {
    OptionException refusal =
        assertThrows(OptionException.class, () -> KeyValueOptions.parse("--x", argument, null));
    assertEquals(sentence, refusal.getMessage());
  }
}
