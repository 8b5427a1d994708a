// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a guest boots.
 *
 * @param kernel a bzImage
 * @param initrd its initial RAM disk
 * @param rootDisk its root disk, raw, only read
 */
public record GuestFiles(Path kernel, Path initrd, Path rootDisk) {
  static final String KERNEL = "vmlinuz";
  static final String INITRD = "initrd";
  static final String ROOT_DISK = "root-disk";

  /** The files by their usual names in a folder. */
  public static GuestFiles in(Path folder) throws IOException {
    GuestFiles files =
        new GuestFiles(folder.resolve(KERNEL), folder.resolve(INITRD), folder.resolve(ROOT_DISK));
    for (Path file : new Path[] {files.kernel, files.initrd, files.rootDisk}) {
      if (!Files.isReadable(file)) {
        throw new IOException("cannot read " + file);
      }
    }
    return files;
  }
}
