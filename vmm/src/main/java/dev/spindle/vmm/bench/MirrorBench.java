// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobMonitor;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobStatus;
import dev.spindle.block.job.SyncMode;
import dev.spindle.block.job.mirror.MirrorJob;
import dev.spindle.block.job.mirror.MirrorOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * A mirror of a whole file, from its start until the copy is durable and the job gone, beside
 * {@code qemu-img convert} of the same file; each into a new file in this folder, in turns.
 */
final class MirrorBench {
  private static final String ID = "mirror";
  private static final double MIB = 1 << 20;

  private final Path file;
  private final long bytes;
  private final int rounds;
  private final PrintWriter out;

  private Path copy;

  MirrorBench(Path file, int rounds, PrintWriter out) throws LinuxException {
    this.file = file;
    this.rounds = rounds;
    try (LinuxFile opened = LinuxFile.open(file)) {
      this.bytes = opened.size();
    }
    this.out = out;
  }

  void run() throws IOException, OptionException, InterruptedException {
    out.printf("%-34s %12s %20s %7s%n", "copy of a file, MiB/s", "Spindle", "qemu-img", "ratio");
    out.flush();
    copy =
        Remains.make(
            () ->
                Files.createTempFile(Path.of("").toAbsolutePath(), "spindle-bench-copy-", ".raw"));
    try {
      compare("raw to raw, O_DIRECT", true);
      compare("raw to raw, page cache", false);
    } finally {
      Remains.delete(copy);
    }
  }

  private void compare(String name, boolean direct)
      throws IOException, OptionException, InterruptedException {
    List<Double> own = new ArrayList<>();
    List<Double> peer = new ArrayList<>();
    List<Double> ratios = new ArrayList<>();
    mirror(direct);
    for (int round = 0; round < rounds; round++) {
      boolean inOrder = round % 2 == 0;
      double early = inOrder ? mirror(direct) : convert(direct);
      double late = inOrder ? convert(direct) : mirror(direct);
      own.add(inOrder ? early : late);
      peer.add(inOrder ? late : early);
      ratios.add(own.getLast() / peer.getLast());
    }
    out.println(
        String.format(
            Locale.ROOT,
            "%-34s %12.0f %20.0f %7.3f",
            name,
            Median.of(own),
            Median.of(peer),
            Median.of(ratios)));
    out.flush();
  }

  private void makeTarget() throws IOException {
    Remains.delete(copy);
    try (RandomAccessFile made = new RandomAccessFile(copy.toFile(), "rw")) {
      made.setLength(bytes);
    }
  }

  private double mibPerSecond(long startNs) {
    return bytes / MIB / ((System.nanoTime() - startNs) / 1e9);
  }

  private double convert(boolean direct) throws IOException, InterruptedException {
    makeTarget();
    String cache = direct ? "none" : "writeback";
    List<String> command =
        List.of(
            "qemu-img",
            "convert",
            "-n",
            "-f",
            "raw",
            "-O",
            "raw",
            "-t",
            cache,
            "-T",
            cache,
            file.toString(),
            copy.toString());
    long start = System.nanoTime();
    Process process;
    try {
      process = Remains.start(new ProcessBuilder(command).inheritIO());
    } catch (IOException e) {
      throw new IOException(
          "qemu-img cannot be started: install it with apt-get install qemu-utils", e);
    }
    if (process.waitFor() != 0) {
      throw new IOException("qemu-img ended with status " + process.exitValue());
    }
    return mibPerSecond(start);
  }

  private double mirror(boolean direct) throws IOException, OptionException {
    makeTarget();
    try (GraphUnderTest graph = new GraphUnderTest()) {
      BlockNode source = openRaw(graph, "source", file, direct);
      BlockNode target = openRaw(graph, "target", copy, direct);
      CompletableFuture<Void> ready = new CompletableFuture<>();
      CompletableFuture<Optional<String>> gone = new CompletableFuture<>();
      CompletableFuture<Optional<String>> error = new CompletableFuture<>();
      graph
          .jobs()
          .listen(
              event -> {
                switch (event) {
                  case JobEvent.Ready unused -> ready.complete(null);
                  case JobEvent.Completed completed -> error.complete(completed.job().error());
                  case JobEvent.StatusChange change when change.status() == JobStatus.NULL -> {
                    ready.complete(null);
                    gone.complete(error.getNow(Optional.empty()));
                  }
                  default -> {}
                }
              });
      JobOptions options = JobOptions.of(ID);
      long start = System.nanoTime();
      graph.<Void, BlockException>control(
          () -> {
            graph
                .jobs()
                .create(
                    options,
                    null,
                    new MirrorJob(
                        graph.graph(),
                        source,
                        target,
                        MirrorOptions.of(options, SyncMode.FULL, CopyMode.BACKGROUND)));
            graph.jobs().start(ID);
            return null;
          });
      ready.join();
      finish(graph);
      Optional<String> failure = gone.join();
      double speed = mibPerSecond(start);
      if (failure.isPresent()) {
        throw new IOException("the mirror failed: " + failure.get());
      }
      return speed;
    }
  }

  /** Ends a mirror that is ready, and leaves the copy as it is. */
  private static void finish(GraphUnderTest graph) throws BlockException {
    graph.<Void, BlockException>control(
        () -> {
          try (JobMonitor monitor = graph.jobs().monitor()) {
            if (monitor.query().stream().anyMatch(job -> job.id().equals(ID))) {
              monitor.cancel(ID, false);
            }
          }
          return null;
        });
  }

  private static BlockNode openRaw(GraphUnderTest graph, String name, Path path, boolean direct)
      throws IOException, OptionException {
    graph.open(
        Map.of(
            "driver",
            "file",
            "node-name",
            name + "-file",
            "filename",
            path.toString(),
            "cache.direct",
            direct ? "on" : "off"));
    return graph.openRaw(name, name + "-file");
  }
}
