// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.fail;

import dev.spindle.block.aio.PollOptions;
import dev.spindle.block.options.Options;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.blk.VirtioBlkOptions;
import dev.spindle.vmm.chardev.ChardevOption;
import dev.spindle.vmm.guest.GuestEvents.Line;
import dev.spindle.vmm.machine.DeviceOption;
import dev.spindle.vmm.machine.MachineConfig;
import dev.spindle.vmm.machine.QueueMapping;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.machine.VirtualMachineConfig;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import tools.jackson.databind.JsonNode;

/** A real Debian guest on its root disk, with further disks for a test, and what it reports. */
final class BootedGuest implements AutoCloseable {
  static final List<String> IO_THREADS = List.of("io0", "io1");
  private static final long DISK_BYTES = 128L << 20;

  private final Path folder;
  private final GuestEvents events = new GuestEvents();
  private final List<Options> nodes = new ArrayList<>();
  private final List<DeviceOption> devices = new ArrayList<>();
  private VirtualMachine machine;

  /** Prepares a guest whose files go to {@code folder}. */
  BootedGuest(Path folder) throws Exception {
    this.folder = folder;
    addDisk("root", file("SPINDLE_GUEST_ROOT_DISK"), "read-only=on", "", 1, false);
  }

  private static Path file(String variable) {
    return Path.of(System.getenv(variable));
  }

  /** Adds a disk with a new, empty image; returns the image. */
  Path addDisk(String id, String node, String properties, int queues, boolean packed)
      throws Exception {
    Path image = folder.resolve(id + ".raw");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(DISK_BYTES);
    }
    addDisk(id, image, node, properties, queues, packed);
    return image;
  }

  private void addDisk(
      String id, Path image, String node, String properties, int queues, boolean packed)
      throws Exception {
    String named = "driver=file,node-name=" + id + "-node,filename=" + image;
    nodes.add(options(node.isEmpty() ? named : named + "," + node));
    devices.add(
        new DeviceOption.Disk(
            id,
            id + "-node",
            QueueMapping.all(queues, IO_THREADS.getFirst()),
            packed,
            VirtioBlkOptions.from(options(properties))));
  }

  void addDevice(DeviceOption device) {
    devices.add(device);
  }

  private static Options options(String description) {
    Map<String, String> values = new LinkedHashMap<>();
    for (String part : description.split(",", -1)) {
      int equals = part.indexOf('=');
      if (equals > 0) {
        values.put(part.substring(0, equals), part.substring(equals + 1));
      }
    }
    return new Options("test", values);
  }

  /** Boots it with {@code parameters} on the kernel's command line. */
  VirtualMachine boot(int cpus, String parameters) throws Exception {
    MachineConfig config =
        new MachineConfig(
            "test",
            512L << 20,
            GuestMemory.Pages.NORMAL,
            cpus,
            file("SPINDLE_GUEST_VMLINUZ"),
            Optional.of(file("SPINDLE_GUEST_INITRD")),
            "console=ttyS0 mitigations=off root=/dev/vda ro " + parameters,
            false);
    machine =
        VirtualMachine.create(
            new VirtualMachineConfig(
                config,
                IO_THREADS.stream()
                    .map(id -> new IoThreadOption(id, PollOptions.IOTHREAD))
                    .toList(),
                nodes,
                devices,
                List.of(new ChardevOption.ToFile(console()), new ChardevOption.ToStream(events))));
    machine.machine().ending().thenRun(events::close);
    machine.start();
    return machine;
  }

  private Path console() {
    return folder.resolve("console.log");
  }

  /** Hands every event to {@code listener} until the machine has come to its end. */
  void follow(BiConsumer<String, JsonNode> listener) throws Exception {
    Line line;
    while (!((line = events.next()) instanceof Line.End)) {
      if (line instanceof Line.Event(String name, JsonNode members)) {
        if (name.equals("error")) {
          fail("the guest says: " + text(members, "message"));
        }
        listener.accept(name, members);
      }
    }
  }

  static String text(JsonNode members, String name) {
    return members.path(name).stringValue("");
  }

  static long number(JsonNode members, String name) {
    return members.path(name).longValue(-1);
  }

  /** The kernel's console, for messages of a failed test. */
  String consoleTail() throws IOException {
    List<String> lines = Files.readAllLines(console());
    return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
  }

  @Override
  public void close() {
    if (machine != null) {
      machine.close();
    }
  }
}
