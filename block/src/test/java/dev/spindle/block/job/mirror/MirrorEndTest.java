// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.TestNode;
import dev.spindle.block.job.CopyFixture;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobWorld;
import dev.spindle.block.job.SyncMode;
import dev.spindle.linux.Errno;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Mirrors that cannot end as they should: the guest, who is kept still meanwhile, goes on. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MirrorEndTest extends CopyFixture {
  private static final JobOptions JOB = JobOptions.of("mirror0");

  private TestNode keeping;

  private void awaitReady() throws Exception {
    keeping = keepingTarget();
    keeping.keeps = false;
    MirrorOptions options = MirrorOptions.of(JOB, SyncMode.FULL, CopyMode.BACKGROUND);
    world.start(JOB, null, new MirrorJob(world.test.graph, source, keeping, options));
    world.awaitEvent(JobEvent.Ready.class, "mirror0");
  }

  private String error() throws Exception {
    return world.ended("mirror0").error().orElseThrow();
  }

  private void assertTheGuestGoesOn() {
    assertEquals(0, guest.write(0, new byte[4096]));
    assertEquals(4096, guest.read(0, 4096).length);
  }

  /** From the moment on at which the guest has been led away, the target refuses everything. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theGuestGoesOnWhenTheFilterCannotBeTakenAway(boolean completes) throws Exception {
    awaitReady();
    keeping.onDrainedEnd =
        () -> {
          if (guest.backend.isQuiesced()) {
            keeping.refusesPermissions = "planted";
          }
        };
    world.monitor(
        monitor -> {
          if (completes) {
            monitor.complete("mirror0");
          } else {
            monitor.cancel("mirror0", false);
          }
        });
    String error = error();
    keeping.onDrainedEnd = () -> {};
    keeping.refusesPermissions = null;
    assertTrue(error.startsWith("Internal error: java.lang.IllegalStateException"), error);
    assertTheGuestGoesOn();
  }

  @Test
  void theGuestGoesOnWhenTheTargetCannotBeUsedByIt() throws Exception {
    awaitReady();
    keeping.refusesPermissions = "planted";
    world.monitor(monitor -> monitor.complete("mirror0"));
    assertTrue(world.ended("mirror0").error().isPresent());
    keeping.refusesPermissions = null;
    assertTheGuestGoesOn();
  }

  @Test
  void theGuestGoesOnWhereItWasWhenTheLastFlushFails() throws Exception {
    awaitReady();
    keeping.keeps = true;
    world.monitor(monitor -> monitor.complete("mirror0"));
    JobWorld.await(keeping).complete(-Errno.EIO);
    keeping.keeps = false;
    assertEquals(
        Optional.of("Writing to node 'keeping' failed: Input/output error"),
        world.ended("mirror0").error());
    assertSame(source, world.test.get(guest.backend::node));
    assertTheGuestGoesOn();
  }
}
