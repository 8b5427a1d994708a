// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
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

  /** Of JSON, as of QMP's arguments. */
  @Test
  void textIsNoTruthValueWhereTheTwoAreToldApart() throws Exception {
    Map<String, String> given = Map.of("a", "on", "b.c", "on", "d", "true");
    Options options = new Options("blockdev-add", given, Set.of("d"));
    Options nested = options.nested("b");
    assertEquals(
        "blockdev-add: parameter 'a' is 'on', expected a boolean",
        assertThrows(OptionException.class, () -> options.bool("a", false)).getMessage());
    assertThrows(OptionException.class, () -> nested.bool("c", false));
    assertTrue(options.bool("d", false));
    assertTrue(new Options("--blockdev", given).bool("a", false));
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

  private static String refusal(Executable what) {
    return assertThrows(OptionException.class, what).getMessage();
  }

  @Test
  void aWordThatMustBeThereIsMissingRatherThanWrong() throws Exception {
    assertEquals(
        "--blockdev: parameter 'type' is missing",
        refusal(() -> Disk.options("a=b").choice("type", "", "unix", "inet")));
    assertEquals(
        "--blockdev: parameter 'type' is '', expected one of unix, inet",
        refusal(() -> Disk.options("type=").choice("type", "", "unix", "inet")));
    assertEquals("inet", Disk.options("a=b").choice("type", "inet", "unix", "inet"));
  }

  @Test
  void elementsAreNumberedFrom0On() throws Exception {
    assertEquals(
        "--blockdev: rules.1 is given, but not 0: they are numbered from 0 on",
        refusal(() -> Disk.options("rules.1.event=x").elements("rules")));
    assertEquals(
        "--blockdev: rules.3 is given, but not 1: they are numbered from 0 on",
        refusal(() -> Disk.options("rules.0.event=x,rules.3.event=y").elements("rules")));
    assertEquals(
        "--blockdev: rules: unknown parameter 'event'",
        refusal(() -> Disk.options("rules.event=x").elements("rules")));
    assertEquals(2, Disk.options("rules.0.event=x,rules.1.event=y").elements("rules").size());
  }

  @Test
  void whatBelongsIntoANestedObjectIsHinted() throws Exception {
    Options options = Disk.options("path=x");
    options.nested("addr").string("path");
    assertEquals(
        "--blockdev: unknown parameter 'path' (did you mean 'addr.path'?)",
        refusal(options::finish));
  }

  @Test
  void troubleWithFilesIsASentence() {
    assertEquals("'a': there is no such file", FileTrouble.sentence(new NoSuchFileException("a")));
    assertEquals("'a': permission denied", FileTrouble.sentence(new AccessDeniedException("a")));
    assertEquals(
        "'a': Not a directory",
        FileTrouble.sentence(new FileSystemException("a", null, "Not a directory")));
    assertEquals("no tape", FileTrouble.sentence(new IOException("no tape")));
    assertEquals("EOFException", FileTrouble.sentence(new EOFException()));
  }
}
