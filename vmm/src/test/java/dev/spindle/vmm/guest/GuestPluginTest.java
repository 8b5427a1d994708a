// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static dev.spindle.vmm.guest.BootedGuest.text;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.VirtualMachine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A stock Debian guest on the drivers of {@code docs/examples}, compiled from their sources. */
@Tag("kvm")
@Timeout(value = 1200, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GuestPluginTest {
  private static final Pattern TOTALS =
      Pattern.compile(
          "reads (\\d+) \\(\\d+ bytes\\), writes (\\d+) \\((\\d+) bytes\\), flushes \\d+\n");

  @TempDir Path folder;

  /** fio writes and verifies while the disk, with both drivers, moves between iothreads. */
  @Test
  void fioVerifiesOnTheRamDiskBehindTheCountingFilter() throws Exception {
    Path examples = Path.of(System.getenv("SPINDLE_EXAMPLES"));
    String[] verdict = {"none"};
    Path report = folder.resolve("totals.txt");
    try (BootedGuest guest = BootedGuest.onRootDisk(folder)) {
      guest
          .description()
          .addDisk(
              "vd1",
              "driver=java,source=%s,report=%s,file.driver=java,file.source=%s,file.size=128M"
                  .formatted(examples.resolve("Count.java"), report, examples.resolve("Ram.java")),
              "",
              2);
      VirtualMachine machine =
          guest.boot(
              "quiet spindle.job=fio spindle.fio.phases=warm spindle.fio.runtime=2"
                  + " spindle.fio.rw=randrw spindle.fio.verify=1 spindle.fio.verify.size=16m");
      try (Mover mover = new Mover(machine, "vd1")) {
        guest.follow(
            (name, members) -> {
              if (name.equals("fio-verify")) {
                verdict[0] = text(members, "verify");
              }
            });
        assertTrue(mover.moves() > 0, "the disk never moved");
      }
      assertEquals("passed", verdict[0], guest.consoleTail());
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd(), guest.consoleTail());
    }
    Matcher totals = TOTALS.matcher(Files.readString(report));
    assertTrue(totals.matches(), Files.readString(report));
    // What fio alone has written before it verified.
    assertTrue(Long.parseLong(totals.group(3)) >= 16 << 20, totals.group());
    assertTrue(Long.parseLong(totals.group(1)) > 0, totals.group());
  }
}
