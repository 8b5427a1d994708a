// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.image.ImageDescription;
import dev.spindle.block.image.SnapshotDescription;
import dev.spindle.block.probe.FileName;
import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.MemberOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * What {@code info} found out about an image.
 *
 * @param name the name it was opened by
 * @param format its driver
 * @param length bytes
 * @param stored bytes of storage; empty if nobody knows
 * @param image what its format has to say
 */
record ImageReport(
    String name, String format, long length, OptionalLong stored, ImageDescription image) {

  /** The backing file's name as one has to write it here. */
  Optional<String> fullBackingName() {
    return image
        .backingFile()
        .map(
            file ->
                FileName.hasProtocol(file) || file.startsWith("/") || FileName.hasProtocol(name)
                    ? file
                    : beside(file));
  }

  private String beside(String file) {
    Path folder = Path.of(name).getParent();
    return folder == null ? file : folder + "/" + file;
  }

  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("virtual-size", length);
    json.put("filename", name);
    json.put("format", format);
    stored.ifPresent(bytes -> json.put("actual-size", bytes));
    json.put("dirty-flag", image.dirty());
    image.clusterSize().ifPresent(size -> json.put("cluster-size", size));
    if (image.encrypted()) {
      json.put("encrypted", true);
    }
    if (image.compressed()) {
      json.put("compressed", true);
    }
    image.backingFile().ifPresent(file -> json.put("backing-filename", file));
    fullBackingName().ifPresent(file -> json.put("full-backing-filename", file));
    image.backingFormat().ifPresent(driver -> json.put("backing-filename-format", driver));
    if (!image.snapshots().isEmpty()) {
      json.put("snapshots", image.snapshots().stream().map(ImageReport::json).toList());
    }
    if (!image.specific().isEmpty()) {
      json.put("format-specific", Map.of("type", format, "data", image.specific()));
    }
    return json;
  }

  private static Map<String, Object> json(SnapshotDescription snapshot) {
    Map<String, Object> json = new LinkedHashMap<>();
    snapshot.instructionCount().ifPresent(count -> json.put("icount", count));
    json.put("vm-clock-nsec", snapshot.vmClockNanoseconds() % 1_000_000_000);
    json.put("name", snapshot.name());
    json.put("date-sec", snapshot.seconds());
    json.put("date-nsec", snapshot.nanoseconds());
    json.put("vm-clock-sec", snapshot.vmClockNanoseconds() / 1_000_000_000);
    json.put("id", snapshot.id());
    json.put("vm-state-size", snapshot.vmStateBytes());
    return json;
  }

  String text() {
    List<String> lines = new ArrayList<>();
    lines.add("image: " + name);
    lines.add("file format: " + format);
    lines.add("virtual size: %s (%d bytes)".formatted(ByteCount.human(length), length));
    lines.add(
        "disk size: " + (stored.isPresent() ? ByteCount.human(stored.getAsLong()) : "unavailable"));
    if (image.encrypted()) {
      lines.add("encrypted: yes");
    }
    image.clusterSize().ifPresent(size -> lines.add("cluster_size: " + size));
    if (image.dirty()) {
      lines.add("cleanly shut down: no");
    }
    image.backingFile().ifPresent(file -> lines.add("backing file: " + file + actualPath(file)));
    image.backingFormat().ifPresent(driver -> lines.add("backing file format: " + driver));
    if (!image.snapshots().isEmpty()) {
      lines.add("Snapshot list:");
      lines.addAll(SnapshotTable.lines(image.snapshots()));
    }
    if (!image.specific().isEmpty()) {
      lines.add("Format specific information:");
      addMembers(lines, image.specific(), 1);
    }
    return String.join("\n", lines) + "\n";
  }

  private String actualPath(String file) {
    String full = fullBackingName().orElse(file);
    return full.equals(file) ? "" : " (actual path: " + full + ")";
  }

  private static void addMembers(List<String> lines, Map<?, ?> members, int level) {
    Map<String, Object> ordered = new TreeMap<>(MemberOrder.QEMU);
    members.forEach((key, value) -> ordered.put((String) key, value));
    ordered.forEach((key, value) -> add(lines, key.replace('-', ' '), value, level));
  }

  private static void add(List<String> lines, String label, Object value, int level) {
    String head = "    ".repeat(level) + label + ":";
    switch (value) {
      case Map<?, ?> map -> {
        lines.add(head);
        addMembers(lines, map, level + 1);
      }
      case List<?> list -> {
        lines.add(head);
        for (int i = 0; i < list.size(); i++) {
          add(lines, "[" + i + "]", list.get(i), level + 1);
        }
      }
      default -> lines.add(head + " " + value);
    }
  }
}
