// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** A guest kernel file whose header has been read and understood. */
public sealed interface Kernel extends AutoCloseable permits BzImage, PvhElf {
  /**
   * Opens {@code path} and reads its header, without loading anything.
   *
   * @throws BootException if the file cannot be read, or is neither a bzImage with a 64-bit entry
   *     nor an ELF file with a PVH entry
   */
  static Kernel open(Path path) throws IOException {
    ImageFile file = ImageFile.open("kernel", path);
    try {
      ByteBuffer head = file.head(0, 4096);
      if (BzImage.recognises(head)) {
        return BzImage.parse(file, head);
      }
      if (PvhElf.recognises(head)) {
        return PvhElf.parse(file, head);
      }
      throw file.problem(
          "is neither a bzImage with a 64-bit entry nor an ELF file with a PVH entry");
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /** Longest command line the kernel takes, in bytes without the terminating zero. */
  int commandLineLimit();

  /**
   * Finds a place for the kernel in {@code memory}.
   *
   * @throws BootException if memory is too small for it
   */
  Placement place(BootMemory memory) throws BootException;

  /** Loads the kernel and its boot information, and says how to enter it. */
  EntryState load(BootMemory memory, Placement placement, BootInformation information)
      throws IOException;

  @Override
  void close() throws IOException;

  /**
   * Where a kernel goes.
   *
   * @param base guest-physical address of its first byte
   * @param end guest-physical address after the memory it needs until it manages memory itself
   * @param initrdLimit guest-physical address the initrd must end at or before
   */
  record Placement(long base, long end, long initrdLimit) {}
}
