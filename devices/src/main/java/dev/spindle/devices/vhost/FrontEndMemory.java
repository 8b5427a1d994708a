// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.memory.GuestMemory;
import java.io.IOException;

/**
 * Memory of a front end's own, for one connection: the rings, what goes with requests, and room for
 * data on its way. A back end that was left may still write to it, and so the next connection has
 * another.
 *
 * <p>Addresses are those of its {@link GuestMemory}, which begins at 0; what the back end takes for
 * addresses in this process are the same numbers, higher up.
 */
final class FrontEndMemory implements AutoCloseable {
  /** Added to an address to make one of this process; not 0, which some take for none. */
  static final long USER_ADDRESSES = 1L << 44;

  private final GuestMemory memory;
  private final FrontEndRing[] rings;

  private FrontEndMemory(GuestMemory memory, FrontEndRing[] rings) {
    this.memory = memory;
    this.rings = rings;
  }

  /** Lays out as many rings as are wanted. */
  static FrontEndMemory of(FrontEndDisk disk, int queues, int queueSize) throws IOException {
    FrontEndRingLayout layout = FrontEndRingLayout.of(disk, queueSize);
    GuestMemory memory = GuestMemory.allocate(layout.bytes() * queues, GuestMemory.Pages.NORMAL);
    FrontEndRing[] rings = new FrontEndRing[queues];
    for (int i = 0; i < queues; i++) {
      rings[i] = new FrontEndRing(memory, layout.bytes() * i, i, layout, disk);
    }
    return new FrontEndMemory(memory, rings);
  }

  GuestMemory memory() {
    return memory;
  }

  FrontEndRing ring(int index) {
    return rings[index];
  }

  @Override
  public void close() {
    memory.close();
  }
}
