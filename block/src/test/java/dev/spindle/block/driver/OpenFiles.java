// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** What this process has open, as the kernel says. */
public final class OpenFiles {
  private OpenFiles() {}

  /** How many descriptors lead to a file. */
  public static long of(Path file) throws IOException {
    Path real = file.toRealPath();
    List<Path> targets = new ArrayList<>();
    try (Stream<Path> links = Files.list(Path.of("/proc/self/fd"))) {
      for (Path link : links.toList()) {
        try {
          targets.add(Files.readSymbolicLink(link));
        } catch (IOException e) {
          // Closed meanwhile.
        }
      }
    }
    return targets.stream().filter(real::equals).count();
  }
}
