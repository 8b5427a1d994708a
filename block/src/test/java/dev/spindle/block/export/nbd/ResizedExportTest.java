// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.NbdError;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A node that gets another length while clients use it: new ones see that, others what is left. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ResizedExportTest {
  private static final int MIB = 1 << 20;

  @TempDir Path folder;
  private NbdDisk disk;
  private BlockBackend resizer;

  @BeforeEach
  void serve() throws Exception {
    Path image = Files.write(folder.resolve("disk.img"), new byte[MIB]);
    disk = new NbdDisk(folder, "driver=file,node-name=d,filename=" + image);
    disk.control(
        () ->
            resizer =
                new BlockBackend(
                    disk.node, () -> "resizer", EnumSet.of(Permission.RESIZE), Permission.all()));
  }

  @AfterEach
  void end() throws Exception {
    disk.control(resizer::close);
    disk.close();
  }

  private void resize(long length) throws Exception {
    disk.control(() -> disk.graph().resize(resizer, length));
    assertEquals(
        Long.toString(length),
        NbdDisk.run("nbdinfo", "--size", disk.uri()).strip(),
        "a new client");
  }

  private static int error(RawClient client, int command, long offset) throws Exception {
    client.request(command, 0, offset, 512);
    if (command == Command.WRITE) {
      client.write(ByteBuffer.allocate(512).position(512));
    }
    client.reply();
    if (command == Command.READ && client.reply.error == 0) {
      client.read(512);
    }
    return client.reply.error;
  }

  private static void assertEnd(RawClient client, long end) throws Exception {
    assertEquals(0, error(client, Command.READ, end - 512));
    assertEquals(0, error(client, Command.WRITE, end - 512));
    for (long offset : new long[] {end - 256, end, end + MIB}) {
      assertEquals(NbdError.EINVAL, error(client, Command.READ, offset));
      assertEquals(NbdError.EINVAL, error(client, Command.CACHE, offset));
      assertEquals(NbdError.ENOSPC, error(client, Command.WRITE, offset));
      assertEquals(NbdError.ENOSPC, error(client, Command.TRIM, offset));
      assertEquals(NbdError.ENOSPC, error(client, Command.WRITE_ZEROES, offset));
    }
  }

  @Test
  void eachClientKeepsToItsEndOrTheNodes() throws Exception {
    try (RawClient early = RawClient.using(disk.path, HeaderStyle.SIMPLE)) {
      assertEnd(early, MIB);
      resize(3 * MIB);
      assertEnd(early, MIB);
      try (RawClient late = RawClient.using(disk.path, HeaderStyle.SIMPLE)) {
        assertEnd(late, 3 * MIB);
        resize(MIB / 2);
        assertEnd(late, MIB / 2);
        assertEnd(early, MIB / 2);
        assertEquals(MIB / 2, Files.size(folder.resolve("disk.img")), "nobody has grown it");
        resize(2 * MIB);
        assertEnd(late, 2 * MIB);
        assertEnd(early, MIB);
      }
    }
  }

  /** Whatever is on its way when the node becomes shorter. */
  @Test
  void whatIsCutOffIsSaidToBeBeyondTheEnd() throws Exception {
    Thread resizing =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    for (int i = 0; i < 100; i++) {
                      long length = i % 2 == 0 ? MIB / 2 : MIB;
                      disk.control(() -> disk.graph().resize(resizer, length));
                    }
                  } catch (Exception e) {
                    throw new IllegalStateException(e);
                  }
                });
    try (RawClient client = RawClient.using(disk.path, HeaderStyle.SIMPLE)) {
      while (resizing.isAlive()) {
        for (int i = 0; i < 32; i++) {
          client.request(Command.WRITE_ZEROES, 0, MIB - 512, 512);
        }
        for (int i = 0; i < 32; i++) {
          client.reply();
          int error = client.reply.error;
          assertTrue(error == 0 || error == NbdError.ENOSPC, "error " + error);
        }
      }
    }
    resizing.join();
    assertEquals(MIB, disk.node.length());
  }
}
