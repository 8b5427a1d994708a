// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.graph.TestNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/** Jobs on a test's graph, and what was told of them. */
public final class JobWorld implements AutoCloseable {
  /** Something done with a monitor. */
  @FunctionalInterface
  public interface Verb {
    void on(JobMonitor monitor) throws BlockException;
  }

  public final TestGraph test = new TestGraph();
  public final Jobs jobs = new Jobs(test.mainLoop);

  /** Guarded by itself. */
  private final List<JobEvent> events = new ArrayList<>();

  public JobWorld() throws Exception {
    jobs.listen(
        event -> {
          synchronized (events) {
            events.add(event);
            events.notifyAll();
          }
        });
  }

  /** Makes a job and starts it. */
  TestJob start(String id, TestJob job) throws Exception {
    return start(JobOptions.of(id), null, job);
  }

  public <D extends JobDriver> D start(JobOptions options, JobTransaction transaction, D job)
      throws Exception {
    test.control(
        () -> {
          jobs.create(options, transaction, job);
          jobs.start(options.id());
        });
    return job;
  }

  public <D extends JobDriver> D create(JobOptions options, D job) throws Exception {
    test.control(() -> jobs.create(options, null, job));
    return job;
  }

  /** Makes a job of a transaction, without starting it. */
  public void create(JobOptions options, JobTransaction transaction, JobDriver job)
      throws Exception {
    test.control(() -> jobs.create(options, transaction, job));
  }

  public void monitor(Verb verb) throws Exception {
    test.control(
        () -> {
          try (JobMonitor monitor = jobs.monitor()) {
            verb.on(monitor);
          }
        });
  }

  /** Does something that must be refused with this sentence. */
  public void refused(String sentence, Verb verb) throws Exception {
    BlockException refusal = assertThrows(BlockException.class, () -> monitor(verb));
    assertEquals(sentence, refusal.getMessage());
  }

  public JobInfo query(String id) throws Exception {
    return test.get(
        () -> {
          try (JobMonitor monitor = jobs.monitor()) {
            return monitor.query(id);
          }
        });
  }

  public JobStatus status(String id) throws Exception {
    return query(id).status();
  }

  /** Waits until the latest news of a job's status is this one. */
  public void awaitStatus(String id, JobStatus status) throws InterruptedException {
    synchronized (events) {
      while (statuses(id).isEmpty() || statuses(id).getLast() != status) {
        events.wait();
      }
    }
  }

  /** Waits until a job is over and gone. */
  public void awaitGone(String id) throws InterruptedException {
    awaitStatus(id, JobStatus.NULL);
  }

  public <E extends JobEvent> E awaitEvent(Class<E> type, String id) throws InterruptedException {
    synchronized (events) {
      while (true) {
        Optional<E> event = find(type, e -> e.id().equals(id));
        if (event.isPresent()) {
          return event.get();
        }
        events.wait();
      }
    }
  }

  private <E extends JobEvent> Optional<E> find(Class<E> type, Predicate<E> wanted) {
    return events.stream().filter(type::isInstance).map(type::cast).filter(wanted).findFirst();
  }

  public boolean saw(Class<? extends JobEvent> type, String id) {
    synchronized (events) {
      return find(type, e -> e.id().equals(id)).isPresent();
    }
  }

  /** Every state that a job has been in. */
  public List<JobStatus> statuses(String id) {
    synchronized (events) {
      return events.stream()
          .filter(JobEvent.StatusChange.class::isInstance)
          .map(JobEvent.StatusChange.class::cast)
          .filter(event -> event.id().equals(id))
          .map(JobEvent.StatusChange::status)
          .toList();
    }
  }

  /** How a job ended. */
  public JobInfo ended(String id) throws InterruptedException {
    awaitGone(id);
    return awaitEvent(JobEvent.Completed.class, id).job();
  }

  /** Forgets what was told of a job that is over, so that another may have its id. */
  public void forget(String id) throws InterruptedException {
    awaitGone(id);
    synchronized (events) {
      events.removeIf(event -> event.id().equals(id));
    }
  }

  /** Waits for a request that a node keeps, and takes it. */
  public static TestNode.Kept await(TestNode node) {
    TestNode.Kept kept;
    while ((kept = node.kept.poll()) == null) {
      Thread.onSpinWait();
    }
    return kept;
  }

  @Override
  public void close() throws Exception {
    test.control(jobs::cancelAll);
    test.close();
  }
}
