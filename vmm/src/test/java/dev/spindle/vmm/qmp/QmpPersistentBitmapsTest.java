// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A monitor makes bitmaps that qemu-img finds in the image. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QmpPersistentBitmapsTest {
  @TempDir Path folder;
  private ChainImages images;
  private QmpWorld world;
  private QmpClient client;

  @BeforeEach
  void openDisk() throws Exception {
    images = new ChainImages(folder);
    images.run("qemu-img", "create", "-q", "-f", "qcow2", "disk.qcow2", "1M");
    world = new QmpWorld(folder);
    client = world.client();
    openImage();
  }

  @AfterEach
  void close() throws Exception {
    client.close();
    world.close();
  }

  private JsonNode ask(String command, String arguments) throws IOException {
    client.send("{'execute': '%s', 'arguments': {%s}}".formatted(command, arguments));
    return client.reply();
  }

  private void assertReturns(String command, String arguments) throws IOException {
    JsonNode reply = ask(command, arguments);
    assertTrue(reply.has("return"), reply.toString());
  }

  private String listed() throws Exception {
    String info = images.run("qemu-img", "info", "-U", "disk.qcow2");
    int start = info.indexOf("bitmaps:");
    return start < 0
        ? ""
        : info.substring(start, info.indexOf("refcount bits")).replaceAll("\\s+", " ").strip();
  }

  @Test
  void theImageHasWhatTheMonitorMade() throws Exception {
    assertReturns("block-dirty-bitmap-add", "'node': 'disk', 'name': 'kept', 'persistent': true");
    assertReturns(
        "transaction",
        "'actions': [{'type': 'block-dirty-bitmap-add', 'data': {'node': 'disk', 'name': 'off',"
            + " 'persistent': true, 'disabled': true, 'granularity': 4096}}]");
    assertTrue(
        ask(
                "transaction",
                "'actions': [{'type': 'block-dirty-bitmap-add', 'data': {'node': 'disk', 'name':"
                    + " 'never', 'persistent': true}}, {'type': 'abort', 'data': {}}]")
            .has("error"));
    assertReturns("block-dirty-bitmap-add", "'node': 'disk', 'name': 'forgotten'");
    assertEquals("", listed());
    assertReturns("blockdev-del", "'node-name': 'disk'");
    assertEquals(
        "bitmaps: [0]: flags: [0]: auto name: kept granularity: 65536"
            + " [1]: flags: name: off granularity: 4096",
        listed());
    openImage();
    assertReturns("block-dirty-bitmap-remove", "'node': 'disk', 'name': 'kept'");
    assertEquals("bitmaps: [0]: flags: [0]: in-use name: off granularity: 4096", listed());
    assertReturns("blockdev-del", "'node-name': 'disk'");
    assertEquals("bitmaps: [0]: flags: name: off granularity: 4096", listed());
    images.run("qemu-img", "check", "-q", "disk.qcow2");
  }

  private void openImage() throws IOException {
    assertReturns(
        "blockdev-add",
        "'driver': 'qcow2', 'node-name': 'disk',"
            + " 'file': {'driver': 'file', 'filename': '%s/disk.qcow2'}".formatted(folder));
  }
}
