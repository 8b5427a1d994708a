// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.memory.GuestMemory;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;

/**
 * What a machine is made of, apart from its devices.
 *
 * @param name what messages call it
 * @param memoryBytes size of RAM, a multiple of 2 MiB, at least {@link #SMALLEST_MEMORY}
 * @param pages what backs RAM
 * @param memoryLocked whether all of RAM is taken from the host at once, kept out of swap, and
 *     registered with the iothreads' rings
 * @param cpus number of vCPUs, 1 to {@link #MOST_CPUS}
 * @param kernel the kernel to boot
 * @param initrd its initial RAM disk
 * @param commandLine its command line
 * @param rebootAllowed whether a reset starts the guest anew; if not, it ends the machine
 */
public record MachineConfig(
    String name,
    long memoryBytes,
    GuestMemory.Pages pages,
    boolean memoryLocked,
    int cpus,
    Path kernel,
    Optional<Path> initrd,
    String commandLine,
    boolean rebootAllowed) {

  /** The most vCPUs a machine may have. */
  public static final int MOST_CPUS = 16;

  /** The least RAM a machine may have, in bytes. */
  public static final long SMALLEST_MEMORY = 16L << 20;

  /** Checks the ranges given above; callers check what users typed, with better words. */
  public MachineConfig {
    Objects.requireNonNull(name);
    Objects.requireNonNull(pages);
    Objects.requireNonNull(kernel);
    Objects.requireNonNull(initrd);
    Objects.requireNonNull(commandLine);
    if (memoryBytes < SMALLEST_MEMORY || memoryBytes % (2 << 20) != 0) {
      throw new IllegalArgumentException("memory of " + memoryBytes + " bytes");
    }
    if (cpus < 1 || cpus > MOST_CPUS) {
      throw new IllegalArgumentException(cpus + " vCPUs");
    }
  }
}
