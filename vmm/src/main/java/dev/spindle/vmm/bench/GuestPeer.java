// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.vmm.guest.GuestFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A program that boots the same guest on KVM, from a command line that is the same but for names.
 */
enum GuestPeer {
  SPINDLE("Spindle"),
  QEMU("QEMU");

  private final String title;

  GuestPeer(String title) {
    this.title = title;
  }

  @Override
  public String toString() {
    return title;
  }

  /** The command that boots {@code files}, with {@code disk} for fio, and reports on its output. */
  List<String> command(GuestFiles files, Path disk, String kernelParameters) {
    List<String> command = new ArrayList<>();
    switch (this) {
      case SPINDLE ->
          command.addAll(
              List.of(
                  Path.of(System.getProperty("java.home"), "bin", "spindle").toString(),
                  "run",
                  "--memory",
                  "512M",
                  "--cpus",
                  "2",
                  "--no-reboot"));
      case QEMU ->
          command.addAll(
              List.of(
                  "qemu-system-x86_64",
                  "-nodefaults",
                  "-display",
                  "none",
                  "-M",
                  "q35",
                  "-accel",
                  "kvm",
                  "-cpu",
                  "host",
                  "-m",
                  "512M",
                  "-smp",
                  "2",
                  "-no-reboot"));
    }
    command.addAll(
        List.of(
            "--kernel",
            files.kernel().toString(),
            "--initrd",
            files.initrd().toString(),
            "--append",
            "console=ttyS0 quiet mitigations=off root=/dev/vda ro " + kernelParameters,
            "--object",
            "iothread,id=io0",
            "--blockdev",
            "driver="
                + driver(files.rootDisk())
                + ",node-name=root,read-only=on,filename="
                + files.rootDisk(),
            "--device",
            "virtio-blk-pci,drive=root",
            "--blockdev",
            "driver=file,node-name=disk,cache.direct=on,aio=io_uring,filename=" + disk,
            "--device",
            "virtio-blk-pci,drive=disk,iothread=io0,num-queues=2",
            "--serial",
            "null",
            "--serial",
            "stdio"));
    return command;
  }

  /** QEMU has a driver of its own for block devices. */
  private String driver(Path image) {
    return this == QEMU && !Files.isRegularFile(image) ? "host_device" : "file";
  }
}
