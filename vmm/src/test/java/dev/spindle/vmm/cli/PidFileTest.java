// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PidFileTest {
  @TempDir Path folder;

  private static String number() {
    return ProcessHandle.current().pid() + "\n";
  }

  private static String refusal(Path path) {
    return assertThrows(IOException.class, () -> PidFile.at(path)).getMessage();
  }

  @Test
  void itIsWrittenWhenAllIsThereAndRemovedAtTheEnd() throws Exception {
    Path path = folder.resolve("pid");
    try (PidFile file = PidFile.at(path)) {
      assertFalse(Files.exists(path));
      file.write();
      assertEquals(number(), Files.readString(path));
    }
    assertFalse(Files.exists(path));
  }

  @Test
  void whatADeadProcessHasLeftIsTakenOver() throws Exception {
    Path path = Files.writeString(folder.resolve("pid"), "99999999\n");
    try (PidFile file = PidFile.at(path)) {
      assertEquals("99999999\n", Files.readString(path));
      file.write();
      assertEquals(number(), Files.readString(path));
    }
  }

  @Test
  void oneThatIsNotWrittenStays() throws Exception {
    Path path = Files.writeString(folder.resolve("pid"), "1\n");
    PidFile.at(path).close();
    assertEquals("1\n", Files.readString(path));
  }

  @Test
  void whatBelongsToOthersIsLeftAlone() throws Exception {
    Path text = Files.writeString(folder.resolve("notes"), "12 eggs\n");
    assertEquals(
        "--pidfile: '" + text + "' is something else: it holds more than a number", refusal(text));
    assertEquals("12 eggs\n", Files.readString(text));
    assertEquals("--pidfile: '/dev/null' is no regular file", refusal(Path.of("/dev/null")));
    assertEquals("--pidfile: '" + folder + "' cannot be written: Is a directory", refusal(folder));
    Path path = folder.resolve("pid");
    try (PidFile first = PidFile.at(path)) {
      PidFile second = PidFile.at(path);
      first.write();
      String sentence = "--pidfile: '" + path + "' belongs to a process that is running";
      assertEquals(sentence, refusal(path));
      assertEquals(sentence, assertThrows(IOException.class, second::write).getMessage());
      assertEquals(number(), Files.readString(path));
    }
  }

  @Test
  void aPlaceThatCannotBeHasAReason() throws Exception {
    Path nowhere = folder.resolve("none/pid");
    PidFile file = PidFile.at(nowhere);
    assertEquals(
        "--pidfile: '" + nowhere + "' cannot be created: No such file or directory",
        assertThrows(IOException.class, file::write).getMessage());
  }

  @Test
  void anothersInItsPlaceIsNotRemoved() throws Exception {
    Path path = folder.resolve("pid");
    Path other = Files.writeString(folder.resolve("other"), "7\n");
    try (PidFile file = PidFile.at(path)) {
      file.write();
      Files.move(other, path, StandardCopyOption.REPLACE_EXISTING);
    }
    assertTrue(Files.exists(path));
    assertEquals("7\n", Files.readString(path));
  }
}
