// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.memory.GuestMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How much the host could ever hold for guests: its RAM and its swap space. */
final class HostMemory {
  private static final Pattern TOTAL =
      Pattern.compile("(?:MemTotal|SwapTotal): +(\\d+) kB", Pattern.MULTILINE);

  private HostMemory() {}

  /**
   * Makes a guest's memory, but none that it could never use: the kernel promises any amount, hands
   * it out page by page, and kills somebody when there are none left.
   *
   * @throws IOException with a sentence for the user
   */
  static GuestMemory allocate(MachineConfig config) throws IOException {
    GuestMemory memory = GuestMemory.allocate(config.memoryBytes(), config.pages());
    try {
      requireRoomFor(memory.size(), Files.readString(Path.of("/proc/meminfo")));
      return memory;
    } catch (IOException e) {
      memory.close();
      throw e;
    }
  }

  static void requireRoomFor(long bytes, String meminfo) throws IOException {
    long total = 0;
    for (Matcher line = TOTAL.matcher(meminfo); line.find(); ) {
      total += Long.parseLong(line.group(1)) << 10;
    }
    if (bytes > total) {
      throw new IOException(
          "guest memory of %d MiB is more than this host can ever hold, which has %d MiB of RAM and swap space"
              .formatted(bytes >> 20, total >> 20));
    }
  }
}
