// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class KeyValuesTest {
  @Test
  void valuesMayHoldDoubledCommasEqualsSignsAndNothing() throws OptionException {
    assertEquals(
        Map.of("driver", "file", "filename", "a,b=c,", "cache.direct", "on", "empty", ""),
        KeyValues.parse(
            "--blockdev", "driver=file,filename=a,,b=c,,,cache.direct=on,empty=", null));
  }

  @ParameterizedTest
  @ValueSource(strings = {"virtio-blk-pci,id=vd0", "driver=virtio-blk-pci,id=vd0"})
  void theFirstPartMayGoWithoutItsKey(String text) throws OptionException {
    assertEquals(
        Map.of("driver", "virtio-blk-pci", "id", "vd0"),
        KeyValues.parse("--device", text, "driver"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "driver=file,driver=raw | --x: parameter 'driver' is given twice",
        "file | --x: expected key=value, not 'file'",
        "driver=file,nonsense | --x: expected key=value, not 'nonsense'",
        "=file | --x: expected key=value, not '=file'",
        "'' | --x: nothing is given, expected key=value",
      })
  void whatHasAnotherFormIsRefused(String text, String sentence) {
    OptionException refusal =
        assertThrows(OptionException.class, () -> KeyValues.parse("--x", text, null));
    assertEquals(sentence, refusal.getMessage());
  }
}
