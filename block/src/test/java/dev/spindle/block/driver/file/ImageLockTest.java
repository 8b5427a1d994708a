// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Spindle and QEMU keep off each other's images; QEMU's own tools say so. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ImageLockTest {
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
