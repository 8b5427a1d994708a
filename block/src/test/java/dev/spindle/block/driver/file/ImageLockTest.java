// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.Options;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.OpenFlag;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Spindle and QEMU keep off each other's images; QEMU's own tools say so. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ImageLockTest {
  private static final Set<Permission> READ = EnumSet.of(Permission.CONSISTENT_READ);
  private static final Set<Permission> WRITER =
      EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE);

  private Path image;

  @BeforeEach
  void makeImage() throws Exception {
    image = Files.createTempFile(Path.of("target"), "lock", ".raw");
    image.toFile().deleteOnExit();
    Files.write(image, new byte[1 << 20]);
  }

  private String node(String more) {
    return "driver=file,node-name=disk,filename=" + image + more;
  }

  @Test
  void qemuImgRefusesAnImageThatADeviceWrites() throws Exception {
    try (Disk disk = new Disk(node(""))) {
      assertTrue(disk.node.length() > 0);
      assertEquals(1, qemuIo("-c", "read 0 512"));
    }
    assertEquals(0, qemuIo("-c", "read 0 512"));
  }

  @Test
  void readersShareAnImage() throws Exception {
    try (Disk disk = new Disk(node(",read-only=on"))) {
      assertTrue(disk.node.readOnly());
      assertEquals(0, qemuIo("-r", "-c", "read 0 512"));
      assertEquals(1, qemuIo("-c", "write 0 512"));
    }
  }

  @Test
  void lockingOffTellsNobody() throws Exception {
    try (Disk disk = new Disk(node(",locking=off"))) {
      assertEquals(0, qemuIo("-c", "write 0 512"));
      assertTrue(disk.node.length() > 0);
    }
  }

  @Test
  void anImageThatQemuWritesIsRefusedByName() throws Exception {
    Process qemu =
        new ProcessBuilder("qemu-io", "-f", "raw", image.toString())
            .redirectErrorStream(true)
            .start();
    try (Writer commands = new OutputStreamWriter(qemu.getOutputStream(), UTF_8);
        BufferedReader answers =
            new BufferedReader(new InputStreamReader(qemu.getInputStream(), UTF_8))) {
      // An answer shows that it has opened the image.
      commands.write("length\n");
      commands.flush();
      String line;
      do {
        line = answers.readLine();
      } while (line != null && !line.contains("1 MiB"));
      BlockException refusal = assertThrows(BlockException.class, () -> new Disk(node("")).close());
      assertEquals(
          "Failed to get shared \"write\" lock: is another process using the image ["
              + image
              + "]?",
          refusal.getMessage());
      commands.write("quit\n");
      commands.flush();
    }
    assertEquals(0, qemu.waitFor());
    new Disk(node("")).close();
  }

  /** One change is open while another comes and goes: neither gives up what the other needs. */
  @Test
  void changesThatOverlapKeepEachOthersLocks() throws Exception {
    try (LinuxFile file = LinuxFile.open(image, OpenFlag.READ_WRITE)) {
      ImageLock lock = new ImageLock(file);
      Transaction.Action writer = lock.prepare(WRITER, READ);
      Transaction.Action reader = lock.prepare(READ, Permission.all());
      end(reader, true);
      assertEquals(1, qemuIo("-c", "write 0 512"), "the writer may still come");
      end(writer, true);
      assertEquals(0, qemuIo("-c", "write 0 512"), "the reader came after it");

      end(lock.prepare(WRITER, READ), true);
      Transaction.Action leaves = lock.prepare(Permission.none(), Permission.all());
      Transaction.Action comes = lock.prepare(READ, Permission.all());
      end(comes, true);
      assertEquals(1, qemuIo("-c", "write 0 512"), "the writer may not leave after all");
      end(leaves, false);
      assertEquals(1, qemuIo("-c", "write 0 512"), "the writer has not left");

      end(lock.prepare(Permission.none(), Permission.all()), true);
      Transaction.Action refused = lock.prepare(WRITER, READ);
      end(lock.prepare(WRITER, READ), false);
      assertEquals(1, qemuIo("-c", "write 0 512"));
      end(refused, false);
      assertEquals(0, qemuIo("-c", "write 0 512"));
    }
  }

  /** A refusal in the middle of an open change gives up what it took, and no more. */
  @Test
  void aRefusalLeavesTheLocksOfAnOpenChange() throws Exception {
    try (LinuxFile file = LinuxFile.open(image, OpenFlag.READ_WRITE);
        LinuxFile other = LinuxFile.open(image, OpenFlag.READ_WRITE)) {
      ImageLock lock = new ImageLock(file);
      ImageLock stranger = new ImageLock(other);
      Transaction.Action open =
          lock.prepare(WRITER, EnumSet.of(Permission.CONSISTENT_READ, Permission.RESIZE));
      end(stranger.prepare(READ, EnumSet.complementOf(EnumSet.of(Permission.RESIZE))), true);
      assertThrows(BlockException.class, () -> lock.prepare(EnumSet.of(Permission.RESIZE), READ));
      assertEquals(1, qemuIo("-c", "write 0 512"));
      end(open, true);
      assertEquals(1, qemuIo("-c", "write 0 512"));
    }
  }

  private static void end(Transaction.Action change, boolean commit) {
    if (commit) {
      change.commit();
    } else {
      change.abort();
    }
    change.clean();
  }

  /** Two windows of one file in one call: other processes see the outcome, or nothing. */
  @Test
  void twoNodesOfOneFileAreReopenedTogether() throws Exception {
    String first = "driver=raw,node-name=first,file=disk,size=512k";
    String second = "driver=raw,node-name=second,file=disk,offset=512k,size=512k";
    try (Disk disk =
        new Disk(
            "driver=raw,node-name=top,file.driver=raw,file.node-name=first,file.size=512k,"
                + "file.file.driver=file,file.file.node-name=disk,file.file.filename="
                + image)) {
      disk.mainLoop.<BlockNode, Exception>control(
          "open", () -> disk.graph.open(Disk.options(second)));
      assertEquals(1, qemuIo("-c", "write 0 512"));
      for (int i = 0; i < 2; i++) {
        assertThrows(
            BlockException.class,
            () -> reopen(disk, second + ",read-only=on", node(",read-only=on"), first));
        assertEquals(1, qemuIo("-c", "write 0 512"));
      }
      reopen(disk, first, second + ",read-only=on", node(",cache.direct=on"));
      assertEquals(1, qemuIo("-c", "write 0 512"));
    }
    assertEquals(0, qemuIo("-c", "write 0 512"));
  }

  private static void reopen(Disk disk, String... descriptions) throws Exception {
    List<Options> options = new ArrayList<>();
    for (String description : descriptions) {
      options.add(Disk.options(description));
    }
    disk.mainLoop.<Void, Exception>control(
        "reopen",
        () -> {
          disk.graph.reopen(options);
          return null;
        });
  }

  private int qemuIo(String... arguments) throws Exception {
    String[] command = new String[arguments.length + 4];
    command[0] = "qemu-io";
    command[1] = "-f";
    command[2] = "raw";
    System.arraycopy(arguments, 0, command, 3, arguments.length);
    command[command.length - 1] = image.toString();
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getInputStream().readAllBytes();
    return process.waitFor();
  }
}
