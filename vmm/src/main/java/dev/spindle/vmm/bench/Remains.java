// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * What would outlive a benchmark that a signal ends: programs that it has started, and files that
 * it has made for itself. The JVM's end takes them along, unless it is killed. Any thread.
 */
public final class Remains {
  /** How long programs have to end by themselves, all together. */
  private static final long PATIENCE_NS = TimeUnit.SECONDS.toNanos(5);

  private static final Remains OF_PROCESS = new Remains();

  private final Set<Process> programs = new LinkedHashSet<>();
  private final Set<Path> files = new LinkedHashSet<>();
  private boolean ending;

  private Remains() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::end, "bench-end"));
  }

  /** Makes a file, or a folder with nothing but files in it. */
  @FunctionalInterface
  public interface Maker {
    /** Makes it. */
    Path make() throws IOException;
  }

  /**
   * Starts a program.
   *
   * @throws IOException if it cannot be started
   */
  public static Process start(ProcessBuilder program) throws IOException {
    return OF_PROCESS.startNow(program);
  }

  /** Has a file made that is to go; {@link #delete} has it go before the JVM's end. */
  public static Path make(Maker maker) throws IOException {
    return OF_PROCESS.makeNow(maker);
  }

  /** Deletes a file, or a folder with the files in it, unless it has gone already. */
  public static void delete(Path file) throws IOException {
    OF_PROCESS.deleteNow(file);
  }

  /**
   * Does not return if the JVM is ending: what fails then, fails because of that, and nobody wants
   * to hear of it.
   */
  public static void awaitEnd() {
    while (OF_PROCESS.isEnding()) {
      LockSupport.park(OF_PROCESS);
    }
  }

  private synchronized boolean isEnding() {
    return ending;
  }

  private void checkNotEnding() throws IOException {
    if (ending) {
      throw new IOException("the benchmark ends");
    }
  }

  private synchronized Process startNow(ProcessBuilder program) throws IOException {
    checkNotEnding();
    Process process = program.start();
    programs.add(process);
    process.onExit().thenAccept(this::forget);
    return process;
  }

  private synchronized void forget(Process process) {
    programs.remove(process);
  }

  private synchronized Path makeNow(Maker maker) throws IOException {
    checkNotEnding();
    Path file = maker.make();
    files.add(file);
    return file;
  }

  private void deleteNow(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      try (Stream<Path> inside = Files.list(file)) {
        for (Path one : inside.toList()) {
          Files.deleteIfExists(one);
        }
      }
    }
    Files.deleteIfExists(file);
    synchronized (this) {
      files.remove(file);
    }
  }

  /** Programs first: some remove files of their own. */
  private void end() {
    List<Process> running;
    List<Path> left;
    synchronized (this) {
      ending = true;
      running = List.copyOf(programs);
      left = List.copyOf(files);
    }
    running.forEach(Process::destroy);
    long last = System.nanoTime() + PATIENCE_NS;
    try {
      for (Process process : running) {
        if (!process.waitFor(last - System.nanoTime(), TimeUnit.NANOSECONDS)) {
          process.destroyForcibly().waitFor();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    for (Path file : left) {
      try {
        deleteNow(file);
      } catch (IOException e) {
        System.err.println("spindle: " + file + " stays behind: " + e.getMessage());
      }
    }
  }
}
