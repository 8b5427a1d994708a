// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.graph.BlockException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every state against QEMU's tables. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JobVerbTest {
  private static final Map<String, String> TRANSITIONS =
      Map.ofEntries(
          Map.entry("undefined", "created"),
          Map.entry("created", "running aborting null"),
          Map.entry("running", "paused ready waiting aborting"),
          Map.entry("paused", "running"),
          Map.entry("ready", "standby waiting aborting"),
          Map.entry("standby", "ready"),
          Map.entry("waiting", "pending aborting"),
          Map.entry("pending", "aborting concluded"),
          Map.entry("aborting", "aborting concluded"),
          Map.entry("concluded", "null"),
          Map.entry("null", ""));

  private static final String WORKING = "created running paused ready standby";

  private static final Map<String, String> VERBS =
      Map.of(
          "cancel",
          WORKING + " waiting pending",
          "pause",
          WORKING,
          "resume",
          WORKING,
          "set-speed",
          WORKING,
          "change",
          WORKING,
          "complete",
          "ready standby",
          "finalize",
          "pending",
          "dismiss",
          "concluded");

  private static Set<String> words(String text) {
    return new TreeSet<>(text.isEmpty() ? List.of() : Arrays.asList(text.split(" ", -1)));
  }

  @ParameterizedTest
  @EnumSource
  void leadsWhereTheTableSays(JobStatus status) {
    Set<String> next =
        Arrays.stream(JobStatus.values())
            .filter(status::mayBecome)
            .map(JobStatus::toString)
            .collect(Collectors.toCollection(TreeSet::new));
    assertEquals(words(TRANSITIONS.get(status.toString())), next);
  }

  @ParameterizedTest
  @EnumSource
  void isPossibleWhereTheTableSays(JobVerb verb) {
    Set<String> accepted = new TreeSet<>();
    for (JobStatus status : JobStatus.values()) {
      try {
        verb.check("job", status);
        accepted.add(status.toString());
      } catch (BlockException e) {
        assertEquals(refusal(status, verb.toString()), e.getMessage());
      }
    }
    assertEquals(words(VERBS.get(verb.toString())), accepted);
  }

  private static String refusal(JobStatus status, String verb) {
    return "Job 'job' in state '" + status + "' cannot accept command verb '" + verb + "'";
  }

  /** What users can do, on a real job in each state that one can be found in. */
  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"UNDEFINED", "NULL"})
  void aRealJobRefusesWhatItsStateForbids(JobStatus status) throws Exception {
    Map<String, JobWorld.Verb> verbs = new LinkedHashMap<>();
    verbs.put("resume", monitor -> monitor.resume("job"));
    verbs.put("pause", monitor -> monitor.pause("job"));
    verbs.put("set-speed", monitor -> monitor.setSpeed("job", 1));
    verbs.put("complete", monitor -> monitor.complete("job"));
    verbs.put("finalize", monitor -> monitor.finalizeJob("job"));
    verbs.put("dismiss", monitor -> monitor.dismiss("job"));
    verbs.put("cancel", monitor -> monitor.cancel("job", true));
    for (Map.Entry<String, JobWorld.Verb> verb : verbs.entrySet()) {
      boolean accepted = words(VERBS.get(verb.getKey())).contains(status.toString());
      try (JobWorld world = new JobWorld()) {
        if (status == JobStatus.ABORTING) {
          tryInAbort(world, verb.getKey(), verb.getValue());
          continue;
        }
        bring(world, status);
        if (!accepted) {
          world.refused(refusal(status, verb.getKey()), verb.getValue());
          assertEquals(status, world.status("job"));
        } else {
          accept(world, status, verb.getKey(), verb.getValue());
        }
      }
    }
  }

  /** The verb itself may have its own objections, but not to the state. */
  private static void accept(JobWorld world, JobStatus status, String name, JobWorld.Verb verb)
      throws Exception {
    try {
      world.monitor(verb);
    } catch (BlockException e) {
      boolean paused = status == JobStatus.PAUSED || status == JobStatus.STANDBY;
      String objection =
          switch (name) {
            case "pause" -> paused ? "Job 'job' is already paused" : "none";
            case "resume" -> paused ? "none" : "Can't resume job 'job', which was not paused";
            default -> "none";
          };
      assertEquals(objection, e.getMessage());
    }
  }

  /** A job is aborting while its driver aborts, and nobody but that can look. */
  private static void tryInAbort(JobWorld world, String name, JobWorld.Verb verb) throws Exception {
    TestJob job = new TestJob();
    BlockException[] refusal = new BlockException[1];
    job.onAbort = () -> refusal[0] = assertThrows(BlockException.class, () -> world.monitor(verb));
    world.start("job", job).fail("on purpose");
    world.awaitGone("job");
    assertEquals(refusal(JobStatus.ABORTING, name), refusal[0].getMessage());
  }

  private static void bring(JobWorld world, JobStatus status) throws Exception {
    JobOptions options = JobOptions.of("job").finalizedByUser().dismissedByUser();
    TestJob job = new TestJob();
    JobTransaction pair = new JobTransaction();
    if (status == JobStatus.READY || status == JobStatus.STANDBY) {
      job.becomingReady();
    }
    if (status == JobStatus.CREATED) {
      world.create(options, job);
      return;
    }
    if (status == JobStatus.WAITING) {
      world.start(JobOptions.of("other"), pair, new TestJob());
    }
    world.start(options, pair, job);
    switch (status) {
      case PAUSED -> world.monitor(monitor -> monitor.pause("job"));
      case STANDBY -> {
        world.awaitStatus("job", JobStatus.READY);
        world.monitor(monitor -> monitor.pause("job"));
      }
      case WAITING, PENDING -> job.succeed();
      case CONCLUDED -> {
        job.succeed();
        world.awaitStatus("job", JobStatus.PENDING);
        world.monitor(monitor -> monitor.finalizeJob("job"));
      }
      default -> {}
    }
    world.awaitStatus("job", status);
  }

  @Test
  void anUnknownJobIsNamed() throws Exception {
    try (JobWorld world = new JobWorld()) {
      world.start("mirror0", new TestJob());
      world.refused(
          "Job 'miror0' not found (did you mean 'mirror0'?)", monitor -> monitor.pause("miror0"));
    }
  }
}
