// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assumptions.abort;

import java.nio.file.Path;

/** A block device over a file, where this user and this kernel can have one. */
final class LoopDevice implements AutoCloseable {
  private final Path path;

  private LoopDevice(Path path) {
    this.path = path;
  }

  static LoopDevice over(Path file) throws Exception {
    if (!Programs.installed("losetup")
        || Programs.status("losetup", "--find") != 0
        || !"root".equals(System.getProperty("user.name"))) {
      abort("no loop device to be had");
    }
    return new LoopDevice(
        Path.of(Programs.run("losetup", "--find", "--show", file.toString()).strip()));
  }

  Path path() {
    return path;
  }

  @Override
  public void close() throws Exception {
    Programs.run("losetup", "--detach", path.toString());
  }
}
