// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Nodes that get another length while there is no guest. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QmpResizeTest extends QmpAsking {
  private QmpWorld world;

  @BeforeEach
  void open() throws Exception {
    Files.write(folder.resolve("disk"), new byte[4096]);
    world = new QmpWorld(folder);
    client = world.client();
    returns("blockdev-add", "'driver': 'file', 'node-name': 'disk', 'filename': 'FOLDER/disk'");
  }

  @AfterEach
  void close() throws Exception {
    client.close();
    world.close();
  }

  @Test
  void aFileGrowsAndShrinksUnderItsExport() throws Exception {
    Path socket = folder.resolve("nbd.sock");
    returns(
        "nbd-server-start", "'addr': {'type': 'unix', 'data': {'path': '%s'}}".formatted(socket));
    returns("block-export-add", "'type': 'nbd', 'id': 'e', 'node-name': 'disk'");
    for (long length : new long[] {1 << 20, 512, 8192}) {
      returns("block_resize", "'node-name': 'disk', 'size': " + length);
      assertEquals(length, Files.size(folder.resolve("disk")));
      String seen =
          new ChainImages(folder).run("nbdinfo", "--size", "nbd+unix:///disk?socket=" + socket);
      assertEquals(length + "\n", seen);
    }
  }

  @Test
  void whatCannotBeIsRefused() throws Exception {
    refused("Device 'vd0' not found", "block_resize", "'device': 'vd0', 'size': 512");
    refused("Need exactly one of 'device' and 'node-name'", "block_resize", "'size': 512");
    refused(
        "Need exactly one of 'device' and 'node-name'",
        "block_resize",
        "'device': 'vd0', 'node-name': 'disk', 'size': 512");
    refused(
        "Parameter 'size' expects a >0 size", "block_resize", "'node-name': 'disk', 'size': -1");
    refused(
        "Failed to find node with node-name='none'",
        "block_resize",
        "'node-name': 'none', 'size': 512");
    assertEquals(4096, Files.size(folder.resolve("disk")));
  }
}
