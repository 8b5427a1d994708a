// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchFileTest {
  private static final int MEBIBYTE = 1 << 20;

  @TempDir private Path folder;

  private String refusal(Path path) {
    return assertThrows(IOException.class, () -> BenchFile.of(path)).getMessage();
  }

  @Test
  void aFileThatDoesNotExistIsMadeAndStays() throws IOException {
    Path path = folder.resolve("new");
    try (BenchFile made = BenchFile.of(path, 2 * MEBIBYTE)) {
      assertFalse(made.temporary());
    }
    assertEquals(2 * MEBIBYTE, Files.size(path));
    // All of it is written, for it is taken as it is the next time.
    BenchFile.of(path).close();
    assertTrue(Files.exists(path));
  }

  @Test
  void aHoleIsRefused() throws IOException {
    Path path = folder.resolve("sparse");
    Files.write(path, new byte[MEBIBYTE]);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(4 * MEBIBYTE);
      file.seek(3 * MEBIBYTE);
      file.write(new byte[MEBIBYTE]);
    }
    assertEquals(
        "the benchmark's file '"
            + path
            + "' has a hole at byte 1048576, and reading holes does not reach the disk: fill it, or"
            + " name a file that does not exist, to have it made",
        refusal(path));
    assertEquals(4 * MEBIBYTE, Files.size(path));
  }

  @Test
  void whatIsNoFileIsRefused() throws IOException {
    assertEquals(
        "the benchmark's file '" + folder + "' is neither a regular file nor a block device",
        refusal(folder));
    Path small = Files.write(folder.resolve("small"), new byte[512]);
    assertEquals(
        "the benchmark's file '" + small + "' has 512 bytes, expected 1 MiB at least",
        refusal(small));
  }

  @Test
  void aFileThatCannotBeMadeIsRefused() {
    Path path = folder.resolve("none").resolve("file");
    assertEquals(
        "the benchmark's file '"
            + path
            + "' cannot be made with 1024 MiB: ENOENT (No such file or directory)",
        refusal(path));
  }
}
