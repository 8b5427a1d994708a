// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.image.SnapshotDescription;
import dev.spindle.vmm.tool.ByteCount;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;

/** Snapshots as a table. */
final class SnapshotTable {
  private static final DateTimeFormatter DATE = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss");

  private SnapshotTable() {}

  static List<String> lines(List<SnapshotDescription> snapshots) {
    List<String> lines = new ArrayList<>();
    lines.add(line("ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT"));
    for (SnapshotDescription snapshot : snapshots) {
      long millis = snapshot.vmClockNanoseconds() / 1_000_000;
      lines.add(
          line(
              snapshot.id(),
              snapshot.name(),
              ByteCount.human(snapshot.vmStateBytes()),
              DATE.format(Instant.ofEpochSecond(snapshot.seconds()).atZone(ZoneId.systemDefault())),
              "%02d:%02d:%02d.%03d"
                  .formatted(
                      millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60, millis % 1000),
              snapshot.instructionCount().isPresent()
                  ? Long.toString(snapshot.instructionCount().getAsLong())
                  : ""));
    }
    return lines;
  }

  private static String line(
      String id, String tag, String size, String date, String clock, String count) {
    return "%-10s%-17s%8s%20s%13s%11s".formatted(id, tag, size, date, clock, count);
  }
}
