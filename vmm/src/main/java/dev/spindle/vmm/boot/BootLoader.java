// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Puts a kernel, its initrd and its command line into guest memory, at start and again at every
 * reset. The files stay open in between, so a reset boots what the machine began with.
 */
public final class BootLoader implements AutoCloseable {
  private static final long PAGE = 4096;

  private final Kernel kernel;
  private final Optional<ImageFile> initrd;
  private final byte[] commandLine;

  private BootLoader(Kernel kernel, Optional<ImageFile> initrd, byte[] commandLine) {
    this.kernel = kernel;
    this.initrd = initrd;
    this.commandLine = commandLine;
  }

  /**
   * Opens and checks what is to be booted, without touching guest memory.
   *
   * @throws BootException if a file cannot be read or is of the wrong kind, or the command line is
   *     longer than the kernel takes
   */
  public static BootLoader open(Path kernelPath, Optional<Path> initrdPath, String commandLine)
      throws IOException {
    Kernel kernel = Kernel.open(kernelPath);
    try {
      byte[] bytes = commandLine.getBytes(StandardCharsets.UTF_8);
      int limit = Math.min(kernel.commandLineLimit(), LowMemory.COMMAND_LINE_SPACE - 1);
      if (bytes.length > limit) {
        throw new BootException(
            "the kernel command line has "
                + bytes.length
                + " bytes, but kernel '"
                + kernelPath
                + "' takes at most "
                + limit);
      }
      if (initrdPath.isEmpty()) {
        return new BootLoader(kernel, Optional.empty(), bytes);
      }
      ImageFile initrd = ImageFile.open("initrd", initrdPath.get());
      return new BootLoader(kernel, Optional.of(initrd), bytes);
    } catch (IOException e) {
      kernel.close();
      throw e;
    }
  }

  /**
   * Loads everything.
   *
   * @param memory the guest's RAM; what it holds already does not matter
   * @param map the physical addresses to tell the kernel
   * @param rootPointer guest-physical address of the ACPI root pointer
   * @return how the first vCPU must start
   * @throws BootException if memory is too small
   */
  public EntryState load(BootMemory memory, AddressMap map, long rootPointer) throws IOException {
    Kernel.Placement placement = kernel.place(memory);
    long initrdLength = initrd.map(ImageFile::size).orElse(0L);
    long initrdBase = placeInitrd(placement, initrdLength);

    MemorySegment text = memory.slice(LowMemory.COMMAND_LINE, commandLine.length + 1L);
    MemorySegment.copy(commandLine, 0, text, ValueLayout.JAVA_BYTE, 0, commandLine.length);
    text.set(ValueLayout.JAVA_BYTE, commandLine.length, (byte) 0);
    if (initrd.isPresent()) {
      initrd.get().load(0, memory.slice(initrdBase, initrdLength));
    }
    return kernel.load(
        memory,
        placement,
        new BootInformation(map, commandLine.length, initrdBase, initrdLength, rootPointer));
  }

  /**
   * Checks that everything fits in {@code memory} without touching it.
   *
   * @throws BootException if it does not
   */
  public void checkFits(BootMemory memory) throws BootException {
    placeInitrd(kernel.place(memory), initrd.map(ImageFile::size).orElse(0L));
  }

  @Override
  public void close() throws IOException {
    kernel.close();
    if (initrd.isPresent()) {
      initrd.get().close();
    }
  }

  /** As high as the kernel allows, out of the way of what it unpacks itself. */
  private long placeInitrd(Kernel.Placement placement, long length) throws BootException {
    if (length == 0) {
      return 0;
    }
    long base = (placement.initrdLimit() - length) & -PAGE;
    if (base < placement.end()) {
      throw initrd
          .orElseThrow()
          .problem(
              "has "
                  + Sizes.mebibytes(length)
                  + ", but the kernel leaves only "
                  + Sizes.mebibytes(Math.max(0, placement.initrdLimit() - placement.end()))
                  + " of memory for it");
    }
    return base;
  }
}
