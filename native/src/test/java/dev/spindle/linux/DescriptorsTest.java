// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Eventfds, timers, memory, mappings and polling. */
class DescriptorsTest {
  @Test
  void anEventFdCountsSignals() throws Exception {
    try (EventFd event = EventFd.create()) {
      assertEquals(0, event.read());
      event.signal();
      event.signal();
      event.add(40);
      assertEquals(42, event.read());
      assertEquals(0, event.read());
      event.add(-2);
      event.signal();
      assertEquals(-2, event.read(), "a full counter stays full");
    }
  }

  @Test
  void aClosedEventFdRefuses() throws Exception {
    EventFd event = EventFd.create();
    event.close();
    assertFalse(event.fd().isOpen());
    assertThrows(IllegalStateException.class, event::signal);
  }

  @Test
  void hotCallsAllocateNothing() throws Exception {
    try (EventFd event = EventFd.create();
        TimerFd timer = TimerFd.create()) {
      Allocation.assertNone(
          () -> {
            event.signal();
            event.read();
            timer.arm(TimeUnit.HOURS.toNanos(1));
          });
    }
  }

  @Test
  void aTimerExpires() throws Exception {
    try (TimerFd timer = TimerFd.create()) {
      assertEquals(0, timer.read());
      timer.arm(1);
      assertEquals(0, Poll.await(Poll.FOREVER, timer.fd()));
      assertEquals(1, timer.read());
      timer.armAt(System.nanoTime() - 1);
      assertEquals(0, Poll.await(Poll.FOREVER, timer.fd()));
      assertEquals(1, timer.read());
      timer.armPeriodic(1000);
      long seen = 0;
      while (seen < 10) {
        Poll.await(Poll.FOREVER, timer.fd());
        seen += timer.read();
      }
      timer.disarm();
      assertEquals(0, timer.read());
      assertEquals(Poll.TIMED_OUT, Poll.await(0, timer.fd()));
      timer.arm(TimeUnit.HOURS.toNanos(1));
      assertEquals(Poll.TIMED_OUT, Poll.await(1_000_000, timer.fd()));
    }
  }

  @Test
  void pollTellsTheFirstThatIsReady() throws Exception {
    try (EventFd one = EventFd.create();
        EventFd two = EventFd.create()) {
      assertEquals(Poll.TIMED_OUT, Poll.await(0, one.fd(), two.fd()));
      two.signal();
      assertEquals(1, Poll.await(Poll.FOREVER, one.fd(), two.fd()));
      one.signal();
      assertEquals(0, Poll.await(Poll.FOREVER, one.fd(), two.fd()));
    }
  }

  @Test
  void aDuplicateOutlivesTheOriginal() throws Exception {
    EventFd event = EventFd.create();
    try (EventFd copy = EventFd.of(event.fd().duplicate())) {
      event.signal();
      event.close();
      assertEquals(1, copy.read());
    }
  }

  @Test
  void descriptorsAreClosedOnExec() throws Exception {
    try (EventFd event = EventFd.create();
        MemFd memory = MemFd.create("exec", 4096, MemFd.Pages.NORMAL);
        TimerFd timer = TimerFd.create()) {
      for (Fd fd : new Fd[] {event.fd(), memory.fd(), timer.fd(), event.fd().duplicate()}) {
        String info = Files.readString(Path.of("/proc/self/fdinfo/" + fd.number()));
        String flags = info.lines().filter(l -> l.startsWith("flags:")).findFirst().orElseThrow();
        long bits = Long.parseLong(flags.substring("flags:".length()).strip(), 8);
        assertTrue((bits & FileConstants.O_CLOEXEC) != 0, fd + ": " + flags);
      }
    }
  }

  @Test
  void memoryIsSharedByItsMappings() throws Exception {
    try (MemFd memory = MemFd.create("shared", 1 << 20, MemFd.Pages.NORMAL);
        Mapping one = memory.map();
        Mapping two = Mapping.shared(memory.fd(), 8192, 4096)) {
      assertEquals(1 << 20, one.size());
      one.segment().set(ValueLayout.JAVA_LONG, 8192 + 16, 0x1234_5678_9abcL);
      assertEquals(0x1234_5678_9abcL, two.segment().get(ValueLayout.JAVA_LONG, 16));
      assertThrows(
          IndexOutOfBoundsException.class, () -> two.segment().get(ValueLayout.JAVA_LONG, 4096));
      one.advise(Mapping.Advice.HUGE_PAGES);
      one.advise(Mapping.Advice.DONT_DUMP);
      one.advise(Mapping.Advice.REMOVE, 8192, 4096);
      assertEquals(0, two.segment().get(ValueLayout.JAVA_LONG, 16), "removed pages are zero");
    }
  }

  @Test
  void memoryCannotBeCutOff() throws Exception {
    try (MemFd memory = MemFd.create("sealed", 8192, MemFd.Pages.NORMAL);
        LinuxFile file = LinuxFile.adopt(memory.fd().duplicate(), Path.of("memfd"))) {
      assertEquals(
          Errno.EPERM, assertThrows(LinuxException.class, () -> file.setLength(4096)).errno());
      assertEquals(
          Errno.EPERM, assertThrows(LinuxException.class, () -> file.setLength(16384)).errno());
      assertEquals(8192, file.size());
    }
  }

  @Test
  void anUnmappedMappingRefusesAccess() throws Exception {
    Mapping mapping = Mapping.anonymous(4096);
    MemorySegment segment = mapping.segment();
    segment.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
    assertTrue(isMapped(segment.address()));
    mapping.close();
    mapping.close();
    assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
  }

  /** The kernel may have merged the mapping with its neighbours: any range may hold the address. */
  private static boolean isMapped(long address) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/maps")).stream()
        .map(line -> line.substring(0, line.indexOf(' ')).split("-", 2))
        .anyMatch(
            ends ->
                Long.compareUnsigned(Long.parseUnsignedLong(ends[0], 16), address) <= 0
                    && Long.compareUnsigned(address, Long.parseUnsignedLong(ends[1], 16)) < 0);
  }

  @Test
  void populatedMappingsAreResident() throws Exception {
    int size = 4 << 20;
    try (MemFd memory = MemFd.create("resident", size, MemFd.Pages.NORMAL);
        LinuxFile file = LinuxFile.adopt(memory.fd().duplicate(), Path.of("memfd"))) {
      assertEquals(0, file.allocatedBytes());
      try (Mapping mapping = Mapping.sharedPopulated(memory.fd(), 0, size)) {
        assertEquals(size, mapping.size());
        assertEquals(size, file.allocatedBytes());
      }
    }
  }

  @Test
  void lockedMappingsAreResidentAndStay() throws Exception {
    // Less than any user may lock.
    int size = 32 << 10;
    try (MemFd memory = MemFd.create("locked", size, MemFd.Pages.NORMAL);
        Mapping mapping = memory.map();
        LinuxFile file = LinuxFile.adopt(memory.fd().duplicate(), Path.of("memfd"))) {
      mapping.lock();
      assertEquals(size, file.allocatedBytes());
      // The kernel takes no page away from a locked mapping.
      assertEquals(
          Errno.EINVAL,
          assertThrows(LinuxException.class, () -> mapping.advise(Mapping.Advice.DONT_NEED))
              .errno());
    }
  }

  @Test
  void hugePagesComeFromThePoolOrAreRefused() throws Exception {
    long free =
        Files.readAllLines(Path.of("/proc/meminfo")).stream()
            .filter(line -> line.startsWith("HugePages_Free:"))
            .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
            .findFirst()
            .orElse(0);
    assertThrows(
        IllegalArgumentException.class, () -> MemFd.create("odd", 4096, MemFd.Pages.HUGE_2M));
    if (free > 0) {
      try (MemFd memory = MemFd.create("huge", 2 << 20, MemFd.Pages.HUGE_2M);
          Mapping mapping = memory.map()) {
        assertEquals(0, mapping.segment().address() % (2 << 20));
      }
    } else {
      assumeTrue(Files.exists(Path.of("/sys/kernel/mm/hugepages")), "no huge pages at all");
      try (MemFd memory = MemFd.create("huge", 2 << 20, MemFd.Pages.HUGE_2M)) {
        LinuxException e = assertThrows(LinuxException.class, memory::map);
        assertEquals(Errno.ENOMEM, e.errno());
      }
    }
  }

  /** A hole that somebody makes in huge pages may find the pool empty when it is touched. */
  @Test
  void onlyOrdinaryPagesAreSafeFromLoss() throws Exception {
    assumeTrue(Files.exists(Path.of("/sys/kernel/mm/hugepages")), "no huge pages at all");
    try (MemFd ordinary = MemFd.create("ordinary", 4096, MemFd.Pages.NORMAL);
        MemFd huge = MemFd.create("huge", 2 << 20, MemFd.Pages.HUGE_2M);
        EventFd event = EventFd.create()) {
      assertTrue(MemFd.sealAgainstLoss(ordinary.fd()));
      assertFalse(MemFd.sealAgainstLoss(huge.fd()));
      assertTrue(MemFd.isMemory(huge.fd()));
      assertFalse(MemFd.sealAgainstLoss(event.fd()));
    }
  }

  @Test
  void impossibleSizesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> MemFd.create("none", 0, MemFd.Pages.NORMAL));
    assertThrows(IllegalArgumentException.class, () -> Mapping.anonymous(-1));
    LinuxException e = assertThrows(LinuxException.class, () -> Mapping.anonymous(1L << 60));
    assertEquals("mmap anonymous memory: ENOMEM (Cannot allocate memory)", e.getMessage());
  }
}
