// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;

/** Images in a folder, made and looked at by QEMU's tools. */
final class ChainImages {
  final Path folder;

  ChainImages(Path folder) {
    this.folder = folder;
  }

  /** Three images of 4 MiB, each of which holds a part, and what the uppermost shows. */
  static ChainImages make(Path folder) throws Exception {
    ChainImages images = new ChainImages(Files.createDirectories(folder));
    images.run("qemu-img", "create", "-q", "-f", "qcow2", "base.qcow2", "4M");
    images.overlay("middle.qcow2", "base.qcow2");
    images.overlay("top.qcow2", "middle.qcow2");
    images.run("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 4M", "base.qcow2");
    images.run("qemu-io", "-f", "qcow2", "-c", "write -P 2 100k 1M", "middle.qcow2");
    images.run("qemu-io", "-f", "qcow2", "-c", "write -P 3 64k 64k", "top.qcow2");
    images.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "top.qcow2", "expected.raw");
    return images;
  }

  /** A new image on another one. */
  void overlay(String name, String backing) throws Exception {
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", "qcow2", name, "4M");
  }

  /** Runs a tool, which has to succeed. Returns what it printed. */
  String run(String... command) throws Exception {
    Process process =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), String.join(" ", command) + ":\n" + output);
    return output;
  }

  /** What QEMU says of a file, others' locks notwithstanding. */
  String info(String file) throws Exception {
    return run("qemu-img", "info", "-U", file);
  }

  /** Has QEMU find that an image is sound and shows what the uppermost showed at first. */
  void assertShowsAll(String file) throws Exception {
    run("qemu-img", "check", "-q", file);
    run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", file, "expected.raw");
  }
}
