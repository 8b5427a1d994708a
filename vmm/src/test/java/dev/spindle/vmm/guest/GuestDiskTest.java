// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static dev.spindle.vmm.guest.BootedGuest.number;
import static dev.spindle.vmm.guest.BootedGuest.text;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.virtio.blk.MoveStats;
import dev.spindle.vmm.machine.DeviceOption;
import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.RunState;
import dev.spindle.vmm.machine.VirtualMachine;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A stock Debian guest uses disks through everything that virtio-blk has, while they move. */
@Tag("kvm")
@Timeout(value = 1200, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GuestDiskTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void everyFeatureWorksWhileTheDiskMoves(boolean packed) throws Exception {
    int block = packed ? 4096 : 512;
    Map<String, String> observed = new HashMap<>();
    Set<String> failed = new TreeSet<>();
    long[] totals = {-1, -1};
    try (BootedGuest guest = BootedGuest.onRootDisk(folder)) {
      guest.addDisk(
          "vd1",
          "cache.direct=on,discard=unmap",
          "serial=moving,physical_block_size=4096,min_io_size=4096,logical_block_size=" + block,
          2,
          packed);
      guest.addDisk("vd2", "read-only=on", "serial=fixed", 1, packed);
      guest.description().addDevice(new DeviceOption.Rng("rng0", OptionalInt.empty(), packed));
      VirtualMachine machine = guest.boot("quiet spindle.job=selftest spindle.selftest.disk=vdb");
      try (Mover mover = new Mover(machine, "vd1")) {
        guest.follow(
            (name, members) -> {
              switch (name) {
                case "check" -> {
                  observed.put(text(members, "name"), text(members, "observed"));
                  if (text(members, "result").equals("failed")) {
                    failed.add(text(members, "name") + ": " + text(members, "observed"));
                  }
                }
                case "selftest" -> {
                  totals[0] = number(members, "passed");
                  totals[1] = number(members, "failed");
                }
                default -> {}
              }
            });
        assertTrue(mover.moves() > 0, "the disk never moved");
      }
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd(), guest.consoleTail());
    }
    assertEquals(Set.of(), failed);
    assertEquals(0, totals[1]);
    assertTrue(totals[0] > 40, "only " + totals[0] + " checks passed");
    assertTrue(observed.get("rng.current").startsWith("virtio_rng"), observed.get("rng.current"));
    assertEquals("moving", observed.get("vdb.serial"));
    assertEquals("2", observed.get("vdb.queues"));
    assertEquals(String.valueOf(block), observed.get("vdb.logical_block_size"));
    assertEquals("4096", observed.get("vdb.physical_block_size"));
    assertEquals("1", observed.get("vdc.ro"));
    Set<String> features = Set.of(observed.get("vdb.feature_names").split(",", -1));
    for (String feature :
        "SEG_MAX,BLK_SIZE,FLUSH,TOPOLOGY,CONFIG_WCE,MQ,DISCARD,WRITE_ZEROES,INDIRECT_DESC,EVENT_IDX"
            .split(",", -1)) {
      assertTrue(features.contains(feature), feature + " is not in " + features);
    }
    assertEquals(packed, features.contains("RING_PACKED"));
    assertTrue(observed.get("vdc.feature_names").contains("RO"));
  }

  /** fio writes, verifies, and is stopped, moved and continued all the while. */
  @Test
  void fioVerifiesAcrossStopsAndMoves() throws Exception {
    AtomicBoolean fioIsDone = new AtomicBoolean();
    int[] rounds = {0};
    String[] verdict = {"none"};
    try (BootedGuest guest = BootedGuest.onRootDisk(folder)) {
      guest.addDisk("vd1", "cache.direct=on", "", 2, false);
      VirtualMachine machine =
          guest.boot(
              "quiet spindle.job=fio spindle.fio.phases=warm spindle.fio.runtime=2"
                  + " spindle.fio.rw=randrw spindle.fio.verify=1 spindle.fio.verify.size=16m");
      Thread[] disturber = {null};
      guest.follow(
          (name, members) -> {
            switch (name) {
              case "fio-running" -> {
                if (disturber[0] == null) {
                  disturber[0] =
                      Thread.ofPlatform()
                          .start(
                              () -> {
                                while (!fioIsDone.get()) {
                                  stopMoveContinue(machine, rounds[0]++);
                                }
                              });
                }
              }
              case "fio-verify" -> {
                verdict[0] = text(members, "verify");
                fioIsDone.set(true);
              }
              default -> {}
            }
          });
      fioIsDone.set(true);
      if (disturber[0] != null) {
        disturber[0].join();
      }
      MoveStats moves = machine.disk("vd1").moveStats();
      assertEquals("passed", verdict[0], guest.consoleTail());
      assertTrue(rounds[0] > 3, "stopped " + rounds[0] + " times only");
      assertTrue(moves.moves() > 3, "moved " + moves.moves() + " times only");
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    }
  }

  private static void stopMoveContinue(VirtualMachine machine, int round) {
    try {
      machine.control(
          "stop",
          () -> {
            if (machine.machine().state() == RunState.RUNNING) {
              machine.machine().vmStop(RunState.PAUSED);
            }
            return null;
          });
      machine.moveDisk("vd1", GuestMachine.IO_THREADS.get(round % 2));
      machine.control(
          "cont",
          () -> {
            if (machine.machine().state() == RunState.PAUSED) {
              machine.machine().vmStart();
            }
            return null;
          });
      machine.moveDisk("vd1", GuestMachine.IO_THREADS.get((round + 1) % 2));
      // The guest must get on between two stops, however slow this machine is.
      Thread.sleep(200);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
