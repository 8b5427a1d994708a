// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.serial.Uart16550;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A serial port whose output goes to a file. */
class OutputChardevTest {
  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void choosePath() {
    file = folder.resolve("serial");
  }

  private void write(String text) throws IOException {
    try (OutputChardev chardev = OutputChardev.toFile("serial0", file)) {
      Uart16550 port = new Uart16550(level -> {}, chardev.sink());
      chardev.connect(port);
      chardev.guestStarts();
      text.chars().forEach(c -> port.writeByte(0, c));
    }
  }

  @Test
  void outputReplacesWhatTheFileHeld() throws Exception {
    write("the first run");
    assertEquals("the first run", Files.readString(file));
    write("another");
    assertEquals("another", Files.readString(file));
    write("");
    assertTrue(Files.exists(file));
    assertEquals("", Files.readString(file));
  }

  @Test
  void withoutAGuestTheFileIsAsItWas() throws Exception {
    OutputChardev.toFile("serial0", file).close();
    assertFalse(Files.exists(file));
    Files.writeString(file, "the first run");
    OutputChardev.toFile("serial0", file).close();
    assertEquals("the first run", Files.readString(file));
  }

  @Test
  void aFileIsAsItWasUntilTheGuestStarts() throws Exception {
    Files.writeString(file, "the first run");
    try (OutputChardev chardev = OutputChardev.toFile("serial0", file)) {
      chardev.connect(new Uart16550(level -> {}, chardev.sink()));
    }
    assertEquals("the first run", Files.readString(file));
  }

  @Test
  void aDeviceIsWrittenToAndLeftAlone() throws Exception {
    file = Path.of("/dev/null");
    write("nothing");
    assertTrue(Files.exists(file));
  }

  @Test
  void aFileThatCannotBeMadeIsNamed() {
    file = folder.resolve("none/serial");
    IOException refusal = assertThrows(IOException.class, () -> write(""));
    assertEquals(
        "--serial file: cannot write to " + file + " (No such file or directory)",
        refusal.getMessage());
  }
}
