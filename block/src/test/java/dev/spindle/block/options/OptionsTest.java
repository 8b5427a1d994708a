// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.driver.Disk;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OptionsTest {
  @ParameterizedTest
  @CsvSource({
    "512,512",
    "64k,65536",
    "1.5G,1610612736",
    "2M,2097152",
    "1T,1099511627776",
    "0,0",
    "7b,7"
  })
  void sizesAreQemus(String text, long bytes) {
    assertEquals(OptionalLong.of(bytes), Size.parse(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "k", "-1", "1kk", "1e3", "9999999P", "0x10", " 1"})
  void whatIsNoSizeIsRefused(String text) {
    assertEquals(OptionalLong.empty(), Size.parse(text));
  }

  @Test
  void whatNobodyTookIsNamedWithItsNeighbour() throws Exception {
    Options options = Disk.options("driver=file,filname=x");
    options.require("driver");
    options.string("filename");
    OptionException refusal = assertThrows(OptionException.class, options::finish);
    assertEquals(
        "--blockdev: unknown parameter 'filname' (did you mean 'filename'?)", refusal.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "maybe,parameter 'cache.direct' is 'maybe'; expected 'on' or 'off'",
    "1,parameter 'cache.direct' is '1'; expected 'on' or 'off'",
  })
  void wrongValuesAreQuoted(String value, String sentence) throws Exception {
    Options options = Disk.options("cache.direct=" + value);
    OptionException refusal =
        assertThrows(OptionException.class, () -> options.bool("cache.direct", false));
    assertEquals("--blockdev: " + sentence.replace(";", ","), refusal.getMessage());
  }

  @Test
  void nestedObjectsHaveTheirOwnNames() throws Exception {
    Options options = Disk.options("driver=raw,file.driver=file,file.filename=x,offset=1M");
    Options file = options.nested("file");
    assertEquals("file", file.require("driver"));
    assertEquals("x", file.require("filename"));
    file.finish();
    assertEquals(1 << 20, options.size("offset", 0));
    assertEquals("raw", options.require("driver"));
    options.finish();
  }
}
