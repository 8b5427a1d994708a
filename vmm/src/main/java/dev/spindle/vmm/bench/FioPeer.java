// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.vmm.guest.FioResult;
import dev.spindle.vmm.json.JsonException;
import dev.spindle.vmm.json.JsonText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** fio, started for each run. */
public final class FioPeer {
  private final List<String> target;

  private FioPeer(List<String> target) {
    this.target = target;
  }

  /** fio on a file itself: what the kernel gives to a program that does nothing else. */
  public static FioPeer onFile(Path file) {
    return new FioPeer(
        List.of(
            "--filename=" + file,
            "--ioengine=io_uring",
            // As Spindle has them.
            "--registerfiles=1",
            "--fixedbufs=1",
            "--direct=1"));
  }

  /**
   * fio as the client of an NBD server.
   *
   * @param uri of the export
   */
  public static FioPeer onNbd(String uri) {
    return new FioPeer(List.of("--ioengine=nbd", "--uri=" + uri));
  }

  /**
   * Runs a workload.
   *
   * @throws IOException if fio is missing, or fails
   */
  public FioResult run(Workload workload, int seconds) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("fio", "--name=peer"));
    command.addAll(target);
    command.addAll(
        List.of(
            "--rw=" + workload.access().fioName(),
            "--rwmixread=" + workload.access().readPercent(),
            "--bs=" + workload.blockBytes(),
            "--iodepth=" + workload.depth(),
            "--time_based",
            "--runtime=" + seconds,
            "--output-format=json"));
    Process process;
    try {
      process =
          Remains.start(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT));
    } catch (IOException e) {
      throw new IOException("fio cannot be started: install it with apt-get install fio", e);
    }
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException("fio ended with status " + process.exitValue());
    }
    try {
      // fio may print notes before the document.
      return FioResult.from(JsonText.object(output.substring(output.indexOf('{')).strip()));
    } catch (JsonException | IndexOutOfBoundsException e) {
      throw new IOException("fio's result cannot be read", e);
    }
  }
}
