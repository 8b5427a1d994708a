// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.fail;

import dev.spindle.vmm.guest.GuestEvents.Line;
import dev.spindle.vmm.machine.VirtualMachine;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BiConsumer;
import tools.jackson.databind.JsonNode;

/** A real Debian guest, perhaps with further disks for a test, and what it reports. */
final class BootedGuest implements AutoCloseable {
  private static final long DISK_BYTES = 128L << 20;

  private final Path folder;
  private final GuestEvents events = new GuestEvents();
  private final GuestMachine description;
  private VirtualMachine machine;

  private BootedGuest(Path folder, GuestMachine description) {
    this.folder = folder;
    this.description = description;
  }

  /**
   * Prepares a guest that has nothing but its initrd; {@code kernel} is a variable that names it.
   */
  static BootedGuest onInitrd(Path folder, String kernel) {
    return new BootedGuest(
        folder, new GuestMachine("test", file(kernel), file("SPINDLE_GUEST_INITRD")));
  }

  /** Prepares a guest on its root disk. */
  static BootedGuest onRootDisk(Path folder) throws Exception {
    GuestFiles files =
        new GuestFiles(
            file("SPINDLE_GUEST_VMLINUZ"),
            file("SPINDLE_GUEST_INITRD"),
            file("SPINDLE_GUEST_ROOT_DISK"));
    return new BootedGuest(folder, GuestMachine.withRootDisk("test", files));
  }

  private static Path file(String variable) {
    return Path.of(System.getenv(variable));
  }

  /** The machine that {@link #boot} will make. */
  GuestMachine description() {
    return description;
  }

  /** Adds a disk with a new, empty image in the test's folder. */
  void addDisk(String id, String node, String properties, int queues, boolean packed)
      throws Exception {
    Path image = emptyImage(id, DISK_BYTES);
    description.addDisk(id, image, node, properties, queues, packed);
  }

  /** Makes an empty image of that many bytes in the test's folder. */
  Path emptyImage(String name, long bytes) throws IOException {
    Path image = folder.resolve(name + ".raw");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(bytes);
    }
    return image;
  }

  /** Boots it with {@code parameters} on the kernel's command line. */
  VirtualMachine boot(String parameters) throws Exception {
    machine = VirtualMachine.create(description.config(parameters, consoleFile(), events));
    machine.machine().ending().thenRun(events::close);
    machine.start();
    return machine;
  }

  private Path consoleFile() {
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

  /** Waits for an event and returns its members; what comes before it is dropped. */
  JsonNode await(String name) throws Exception {
    while (true) {
      switch (events.next()) {
        case Line.Event(String event, JsonNode members) -> {
          if (event.equals(name)) {
            return members;
          }
        }
        case Line.Other(String text) -> {}
        case Line.End() -> fail("no " + name + "; console: " + console());
      }
    }
  }

  static String text(JsonNode members, String name) {
    return members.path(name).stringValue("");
  }

  static long number(JsonNode members, String name) {
    return members.path(name).longValue(-1);
  }

  /** What the kernel has printed. */
  String console() throws IOException {
    return Files.readString(consoleFile());
  }

  /** The end of it, for messages of a failed test. */
  String consoleTail() throws IOException {
    List<String> lines = Files.readAllLines(consoleFile());
    return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
  }

  @Override
  public void close() {
    if (machine != null) {
      machine.close();
      machine = null;
    }
  }
}
