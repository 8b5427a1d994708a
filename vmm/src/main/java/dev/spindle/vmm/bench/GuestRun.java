// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.vmm.guest.FioResult;
import dev.spindle.vmm.guest.GuestEvents;
import dev.spindle.vmm.guest.GuestEvents.Line;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * One boot of a guest that runs fio, seen from outside.
 *
 * @param initSeconds from the start of the program to the guest's first process
 * @param fio what fio showed
 * @param ownMemoryMib resident memory of the program that is not guest memory (RssAnon and
 *     RssFile), MiB; only meaningful where guest memory is shared memory
 */
record GuestRun(double initSeconds, FioResult fio, double ownMemoryMib) {

  /** Runs a command that {@link GuestPeer} made. */
  static GuestRun of(List<String> command) throws IOException, InterruptedException {
    long start = System.nanoTime();
    Process process =
        Remains.start(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT));
    process.getOutputStream().close();
    GuestEvents events = new GuestEvents();
    Thread reader =
        Thread.ofPlatform()
            .name("guest-report")
            .start(
                () -> {
                  try (events) {
                    process.getInputStream().transferTo(events);
                  } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                  }
                });
    double initSeconds = 0;
    FioResult fio = null;
    double memory = 0;
    Line line;
    while (!((line = events.next()) instanceof Line.End)) {
      if (!(line instanceof Line.Event event)) {
        continue;
      }
      switch (event.name()) {
        case "init" -> initSeconds = (System.nanoTime() - start) / 1e9;
        case "fio-result" -> {
          fio = FioResult.from(event.members().path("fio"));
          memory = ownMemoryMib(process.pid());
        }
        default -> {}
      }
    }
    int status = process.waitFor();
    reader.join();
    if (status != 0 || fio == null || fio.iops() == 0) {
      throw new IOException(
          command.getFirst() + " ended with status " + status + " and without fio's result");
    }
    return new GuestRun(initSeconds, fio, memory);
  }

  private static double ownMemoryMib(long pid) throws IOException {
    long kib = 0;
    for (String line : Files.readAllLines(Path.of("/proc", Long.toString(pid), "status"))) {
      if (line.startsWith("RssAnon:") || line.startsWith("RssFile:")) {
        kib += Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    return kib / 1024.0;
  }
}
