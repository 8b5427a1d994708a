// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A guest in QEMU, which emulates the whole machine: it boots from one vhost-user-blk export, and
 * fio in it writes to another and reads it back.
 */
public final class QemuGuest {
  private static final long DATA_BYTES = 64L << 20;

  private final Path folder;
  private final Path report;

  /**
   * Prepares a guest.
   *
   * @param folder where the exports' sockets are, {@code root.sock} and {@code data.sock}, and
   *     where it leaves what it says
   */
  public QemuGuest(Path folder) {
    this.folder = folder;
    this.report = folder.resolve("report.log");
  }

  /** The disk to boot from, not to be written. */
  public static String rootDisk() throws IOException, InterruptedException {
    return made("root-disk");
  }

  /** Makes the disk that fio writes to. */
  public Path makeDataDisk() throws IOException {
    Path data = folder.resolve("data.img");
    try (RandomAccessFile file = new RandomAccessFile(data.toFile(), "rw")) {
      file.setLength(DATA_BYTES);
    }
    return data;
  }

  private static String made(String script, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of("..", "guest-images", script).toAbsolutePath().toString());
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String path =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertEquals(0, process.waitFor(), script);
    return path;
  }

  /**
   * Starts it.
   *
   * @param verifiedMebibytes how much fio writes and reads back
   * @param socketOptions of QEMU's character devices, each after a comma
   * @param dataOptions of the device that fio writes to, each after a comma
   */
  public Process start(int verifiedMebibytes, String socketOptions, String dataOptions)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("qemu-system-x86_64", "-nodefaults"));
    command.addAll(List.of("-display", "none", "-no-reboot", "-m", "512M", "-smp", "2"));
    command.addAll(List.of("-M", "q35,accel=tcg,memory-backend=mem"));
    command.addAll(List.of("-object", "memory-backend-memfd,id=mem,size=512M,share=on"));
    command.addAll(List.of("-kernel", made("kernel", "--print", "vmlinuz")));
    command.addAll(List.of("-initrd", made("initrd")));
    command.addAll(
        List.of(
            "-append",
            "console=ttyS0 quiet mitigations=off cryptomgr.notests panic=-1 root=/dev/vda ro"
                + " spindle.job=fio spindle.fio.phases=warm spindle.fio.runtime=1"
                + " spindle.fio.ramp=0 spindle.fio.rw=randrw spindle.fio.verify=1"
                + " spindle.fio.verify.size="
                + verifiedMebibytes
                + "m"));
    addDisk(command, "root", "num-queues=1", socketOptions);
    addDisk(command, "data", "num-queues=2" + dataOptions, socketOptions);
    command.addAll(List.of("-serial", "file:" + folder.resolve("console.log")));
    command.addAll(List.of("-serial", "file:" + report));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(folder.resolve("qemu.log").toFile())
        .start();
  }

  private void addDisk(List<String> command, String name, String options, String socketOptions) {
    String socket = "socket,id=" + name + ",path=" + folder.resolve(name + ".sock") + socketOptions;
    command.addAll(List.of("-chardev", socket));
    command.addAll(List.of("-device", "vhost-user-blk-pci,chardev=" + name + "," + options));
  }

  /** What it has reported so far. */
  public String events() throws IOException {
    return Files.exists(report) ? Files.readString(report) : "";
  }

  /** Whether fio is at work on what it verifies. */
  public boolean isVerifying() throws IOException {
    return events().contains("\"event\":\"fio-running\",\"phase\":\"verify\"");
  }

  /** Asserts that fio has read back what it wrote, and that the guest has ended well. */
  public void assertVerified(Process qemu) throws IOException {
    String said = events() + Files.readString(folder.resolve("qemu.log"));
    assertEquals(0, qemu.exitValue(), said);
    assertTrue(said.contains("\"phase\":\"verify\",\"status\":0,\"verify\":\"passed\""), said);
    assertTrue(said.contains("\"event\":\"end\",\"job\":\"fio\",\"status\":0"), said);
  }
}
