// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.vmm.guest.FioResult;
import dev.spindle.vmm.json.JsonException;
import dev.spindle.vmm.json.JsonText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** fio on the file itself: what the kernel gives to a program that does nothing else. */
final class FioPeer {
  private final Path file;

  FioPeer(Path file) {
    this.file = file;
  }

  double iops(Workload workload, int seconds) throws IOException, InterruptedException {
    List<String> command =
        List.of(
            "fio",
            "--name=peer",
            "--filename=" + file,
            "--ioengine=io_uring",
            // As Spindle has them.
            "--registerfiles=1",
            "--fixedbufs=1",
            "--direct=1",
            "--rw=" + workload.fioName(),
            "--bs=4k",
            "--iodepth=" + workload.depth(),
            "--time_based",
            "--runtime=" + seconds,
            "--output-format=json");
    Process process;
    try {
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    } catch (IOException e) {
      throw new IOException("fio cannot be started: install it with apt-get install fio", e);
    }
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException("fio ended with status " + process.exitValue());
    }
    try {
      // fio may print notes before the document.
      return FioResult.from(JsonText.object(output.substring(output.indexOf('{')).strip())).iops();
    } catch (JsonException | IndexOutOfBoundsException e) {
      throw new IOException("fio's result cannot be read", e);
    }
  }
}
