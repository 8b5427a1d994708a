// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProbeGuestTest {
  @TempDir Path directory;

  @Test
  void theBytesAreWhatTheAssemblerMakesOfTheSource() throws Exception {
    Path source = directory.resolve("guest.S");
    try (InputStream resource = ProbeGuestTest.class.getResourceAsStream("probe-guest.S")) {
      Files.copy(resource, source);
    }
    run("gcc", "-c", "-o", "guest.o", "guest.S");
    run("ld", "-Ttext=0xffffffff80010000", "-o", "guest.elf", "guest.o");
    run("objcopy", "-O", "binary", "-j", ".text", "guest.elf", "guest.bin");
    byte[] assembled = Files.readAllBytes(directory.resolve("guest.bin"));
    HexFormat hex = HexFormat.of();
    assertEquals(hex.formatHex(assembled), hex.formatHex(ProbeGuest.CODE));
  }

  private void run(String... command) throws Exception {
    Process process =
        new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), output);
  }
}
