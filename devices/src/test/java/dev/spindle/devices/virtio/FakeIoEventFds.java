// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.spindle.devices.irq.IoEventFds;
import dev.spindle.linux.EventFd;
import java.util.Map;
import java.util.TreeMap;

/** Remembers which address signals which eventfd, as KVM would; can refuse further ones. */
final class FakeIoEventFds implements IoEventFds {
  final Map<Long, EventFd> byAddress = new TreeMap<>();
  int room = Integer.MAX_VALUE;

  @Override
  public void add(long gpa, int size, EventFd fd) {
    if (byAddress.size() >= room) {
      throw new IllegalStateException("no room for another ioeventfd");
    }
    assertEquals(0, size);
    assertNull(byAddress.put(gpa, fd), "added twice");
  }

  @Override
  public void remove(long gpa, int size, EventFd fd) {
    assertEquals(0, size);
    assertSame(fd, byAddress.remove(gpa), "removed what was not there");
  }
}
