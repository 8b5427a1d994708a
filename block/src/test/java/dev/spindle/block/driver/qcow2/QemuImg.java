// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.format.QemuTool;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** QEMU's tools: they say whether an image is right. */
final class QemuImg {
  private QemuImg() {}

  /** Makes an image. */
  static void create(Path file, String options, long size) throws Exception {
    List<String> command = new ArrayList<>(List.of("qemu-img", "create", "-q", "-f", "qcow2"));
    if (!options.isEmpty()) {
      command.addAll(List.of("-o", options));
    }
    command.addAll(List.of(file.toString(), Long.toString(size)));
    QemuTool.run(command.toArray(String[]::new));
  }

  /** Refuses errors and leaks. */
  static void check(Path file) throws Exception {
    QemuTool.run("qemu-img", "check", "-q", "-f", "qcow2", file.toString());
  }

  /** What a guest sees. */
  static byte[] contents(Path file) throws Exception {
    Path raw = file.resolveSibling(file.getFileName() + ".contents");
    QemuTool.run(
        "qemu-img", "convert", "-f", "qcow2", "-O", "raw", file.toString(), raw.toString());
    byte[] contents = Files.readAllBytes(raw);
    Files.delete(raw);
    return contents;
  }

  /** Runs commands of qemu-io on an image. */
  static void io(Path file, List<String> commands) throws Exception {
    List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2", "-d", "unmap"));
    for (String one : commands) {
      command.addAll(List.of("-c", one));
    }
    command.add(file.toString());
    String output = QemuTool.run(command.toArray(String[]::new));
    assertEquals(-1, output.indexOf("failed"), output);
  }
}
