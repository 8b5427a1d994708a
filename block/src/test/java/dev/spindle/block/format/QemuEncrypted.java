// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * An encrypted image as QEMU's tools open it.
 *
 * @param secret the password, as their {@code --object} takes it
 * @param options of the image, as their {@code --image-opts} take them
 */
public record QemuEncrypted(String secret, String options) {
  /** Runs commands of qemu-io, which have to succeed. */
  public void io(String... commands) throws Exception {
    List<String> words = new ArrayList<>(List.of("qemu-io", "--object", secret, "--image-opts"));
    for (String command : commands) {
      words.addAll(List.of("-c", command));
    }
    words.add(options);
    String said = QemuTool.run(words.toArray(String[]::new));
    assertFalse(said.contains("failed"), said);
  }

  /** Refuses errors and leaks. */
  public void check() throws Exception {
    QemuTool.run("qemu-img", "check", "-q", "--object", secret, "--image-opts", options);
  }

  /**
   * What a guest sees.
   *
   * @param raw where to put it meanwhile
   */
  public byte[] contents(Path raw) throws Exception {
    QemuTool.run(
        "qemu-img",
        "convert",
        "--object",
        secret,
        "--image-opts",
        "-O",
        "raw",
        options,
        raw.toString());
    return Files.readAllBytes(raw);
  }
}
