// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.linux.Errno;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** One request of a copy fails, at the source or at the target, whatever is to be done then. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CopyErrorTest extends CopyFixture {
  private static final int PLACE = 20 * CLUSTER;

  static Stream<Arguments> everyCase() {
    return Stream.of(Kind.values())
        .flatMap(
            kind ->
                Stream.of(true, false)
                    .flatMap(
                        atTarget ->
                            Stream.of(ErrorPolicy.values())
                                .flatMap(
                                    policy ->
                                        Stream.of(Errno.EIO, Errno.ENOSPC)
                                            .map(
                                                errno ->
                                                    Arguments.of(kind, atTarget, policy, errno)))));
  }

  private BlockNode failingOnce(String image, String iotype, int errno) throws Exception {
    return world.test.get(
        () ->
            world.test.graph.open(
                Disk.options(
                    ("driver=blkdebug,node-name=dbg,image=%s,inject-error.0.event=none,"
                            + "inject-error.0.iotype=%s,inject-error.0.once=on,"
                            + "inject-error.0.errno=%d,inject-error.0.sector=%d")
                        .formatted(image, iotype, errno, PLACE / 512))));
  }

  private byte[] write(int offset, long seed) {
    byte[] data = new byte[CLUSTER];
    new Random(seed).nextBytes(data);
    assertEquals(0, guest.write(offset, data));
    return data;
  }

  @ParameterizedTest
  @MethodSource("everyCase")
  void theJobDoesAsItsPolicySaysAndTheGuestIsUnharmed(
      Kind kind, boolean atTarget, ErrorPolicy policy, int errno) throws Exception {
    if (atTarget) {
      target = failingOnce("target", "write", errno);
    } else {
      useInstead(failingOnce("source", "read", errno));
    }
    byte[] data = write(PLACE, 1);
    String before = world.test.picture();
    ErrorPolicy other = ErrorPolicy.REPORT;
    JobOptions job =
        JobOptions.of("copy0").onErrors(atTarget ? other : policy, atTarget ? policy : other);
    create(kind, job, SyncMode.FULL, Optional.empty(), BitmapMode.ON_SUCCESS);
    start(job);
    ErrorAction action = policy.action(errno);
    assertEquals(
        new JobEvent.IoError("copy0", atTarget, errno, action),
        world.awaitEvent(JobEvent.IoError.class, "copy0"));
    if (action == ErrorAction.STOP) {
      world.awaitStatus("copy0", JobStatus.PAUSED);
      assertEquals(
          errno == Errno.ENOSPC ? JobIoStatus.NOSPACE : JobIoStatus.FAILED,
          world.query("copy0").ioStatus());
      // Whatever the job waits for, the guest does not.
      assertArrayEquals(data, guest.read(PLACE, CLUSTER));
      world.monitor(monitor -> monitor.resume("copy0"));
    }
    if (action == ErrorAction.REPORT) {
      assertEquals(
          Optional.of(
              (atTarget ? "Writing to node 'dbg' failed: " : "Reading from node 'dbg' failed: ")
                  + Errno.message(errno)),
          world.ended("copy0").error());
    } else {
      assertEquals(Optional.empty(), end(kind, job).error());
      assertEquals(0, images.compare("source", "target"));
    }
    assertEquals(before, world.test.picture());
    assertArrayEquals(data, guest.read(PLACE, CLUSTER));
    byte[] news = write(PLACE, 2);
    assertArrayEquals(news, guest.read(PLACE, CLUSTER));
  }
}
