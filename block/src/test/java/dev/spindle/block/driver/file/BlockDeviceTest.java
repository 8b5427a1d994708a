// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A block device whose sectors are of 4 KiB, so that much of what guests ask for is less than one:
 * a loop device, where they may be made.
 */
class BlockDeviceTest {
  private static final int SIZE = 1 << 20;

  private Path backing;
  private String device;

  @BeforeEach
  void makeDevice() throws Exception {
    backing = Files.createTempFile(Path.of("target"), "device", ".raw");
    Files.write(backing, new byte[SIZE]);
    device =
        run("losetup", "--find", "--show", "--sector-size", "4096", backing.toString()).strip();
    assumeTrue(device.startsWith("/dev/loop"), "no loop devices here: " + device);
  }

  @AfterEach
  void removeDevice() throws Exception {
    if (device.startsWith("/dev/loop")) {
      run("losetup", "--detach", device);
    }
    Files.delete(backing);
  }

  private static String run(String... command) throws InterruptedException {
    try {
      Process process = new ProcessBuilder(List.of(command)).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes(), UTF_8);
      process.waitFor();
      return output;
    } catch (IOException e) {
      return e.getMessage();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ",cache.direct=on", ",cache.direct=on,discard=unmap"})
  void behavesAsAnArrayOfBytes(String cache) throws Exception {
    byte[] model;
    try (Disk disk = new Disk("driver=file,node-name=disk,filename=" + device + cache)) {
      assertEquals(SIZE, disk.node.length());
      assertEquals(cache.isEmpty() ? 1 : 4096, disk.node.limits().requestAlignment());
      model = RandomRequests.run(disk, SIZE);
    }
    run("sync", device);
    assertArrayEquals(model, Files.readAllBytes(backing));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ",cache.direct=on"})
  void aDiscardKeepsPartsOfSectors(String cache) throws Exception {
    byte[] expected = new byte[SIZE];
    Arrays.fill(expected, (byte) 1);
    try (Disk disk = new Disk("driver=file,discard=unmap,filename=" + device + cache);
        Arena arena = Arena.ofShared()) {
      MemorySegment ones = arena.allocate(SIZE, 4096).fill((byte) 1);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.WRITE, 0, ones)));
      assertEquals(0, disk.run(TestRequest.range(Operation.DISCARD, 512, 1024)));
      assertEquals(0, disk.run(TestRequest.range(Operation.DISCARD, 512, 3 * 4096)));
      assertEquals(0, disk.run(TestRequest.range(Operation.FLUSH, 0, 0)));
    }
    Arrays.fill(expected, 4096, 3 * 4096, (byte) 0);
    run("sync", device);
    assertArrayEquals(expected, Files.readAllBytes(backing));
  }
}
