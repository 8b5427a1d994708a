// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.Mapping;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A program that registers memory for a whole file and reads the file into it: prints how the
 * kernel answered to the one and, as a hash, what came of the other.
 */
final class LimitedMemory {
  private LimitedMemory() {}

  public static void main(String[] arguments) throws Exception {
    try (IoUring ring = IoUring.create(8);
        LinuxFile file = LinuxFile.open(Path.of(arguments[0]));
        Mapping mapping = Mapping.anonymous(file.size())) {
      int registration = ring.registerMemory(mapping.segment());
      IoVector vector = new IoVector(1);
      vector.add(mapping.segment(), 0, mapping.size());
      ring.submission().prepRead(ring.registerFile(file.fd()), vector, 0, 1);
      while (ring.reap((userData, result, more) -> {}) == 0) {
        ring.submitAndWait(-1);
      }
      System.out.println(
          (registration >= 0 ? "registered" : Errno.name(-registration))
              + " "
              + Arrays.hashCode(mapping.segment().toArray(JAVA_BYTE)));
    }
  }
}
