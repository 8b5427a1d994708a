// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.vmm.bench.exports.EndlessBench;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A benchmark that a signal ends leaves nothing. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class BenchEndTest {
  @TempDir Path folder;

  @Test
  void programsAndFilesGoWithIt() throws Exception {
    Path temporary = Files.createDirectory(folder.resolve("tmp"));
    ProcessBuilder builder = SpindleProcess.prepareTestMain(folder, EndlessBench.class);
    builder.environment().put("JDK_JAVA_OPTIONS", "-Djava.io.tmpdir=" + temporary);
    Path said = folder.resolve("said");
    Process bench = builder.redirectErrorStream(true).redirectOutput(said.toFile()).start();
    List<ProcessHandle> programs = List.of();
    try {
      // The server and fio, which is the client.
      while (bench.isAlive() && programs.size() < 2) {
        programs = bench.children().toList();
        Thread.onSpinWait();
      }
      assertEquals(2, programs.size(), () -> read(said));
      bench.toHandle().destroy();
      assertEquals(128 + 15, bench.waitFor());
      programs.forEach(program -> program.onExit().join());
    } finally {
      programs.forEach(ProcessHandle::destroyForcibly);
      bench.destroyForcibly();
    }
    try (Stream<Path> left = Files.list(temporary)) {
      assertEquals(List.of(), left.toList());
    }
    assertEquals(
        1, read(said).lines().count(), "only the JVM's note of its options: " + read(said));
  }

  private static String read(Path file) {
    try {
      return Files.readString(file, UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
