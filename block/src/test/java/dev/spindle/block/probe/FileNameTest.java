// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.graph.BlockException;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Names of images, in the forms that QEMU's manual pages give. */
final class FileNameTest {
  private static void assertOptions(String name, String... keysAndValues) throws BlockException {
    Map<String, String> expected = new HashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      expected.put(keysAndValues[i], keysAndValues[i + 1]);
    }
    assertEquals(expected, FileName.describe(name));
  }

  private static void assertRefused(String name, String sentence) {
    BlockException refusal =
        assertThrows(BlockException.class, () -> FileName.describe(name), name);
    assertEquals(sentence, refusal.getMessage());
  }

  @Test
  void pathsAreFiles() throws BlockException {
    assertOptions("disk.raw", "driver", "file", "filename", "disk.raw");
    assertOptions("/srv/a:b", "driver", "file", "filename", "/srv/a:b");
    assertOptions("file:a:b", "driver", "file", "filename", "a:b");
    assertRefused("a:b", "Unknown protocol 'a'");
  }

  @Test
  void nbdServersHaveTwoForms() throws BlockException {
    String[] socket = {"driver", "nbd", "server.type", "unix", "server.path", "/run/n"};
    assertOptions("nbd:unix:/run/n", socket);
    assertOptions("nbd+unix:///?socket=/run/n", socket);
    assertOptions(
        "nbd+unix:///disk?socket=/run/n",
        "driver",
        "nbd",
        "server.type",
        "unix",
        "server.path",
        "/run/n",
        "export",
        "disk");
    String[] host = {
      "driver",
      "nbd",
      "server.type",
      "inet",
      "server.host",
      "::1",
      "server.port",
      "10809",
      "export",
      "a b"
    };
    assertOptions("nbd://[::1]/a%20b", host);
    assertOptions("nbd:[::1]:10809:exportname=a b", host);
    assertRefused("nbd:host", "'nbd:host' names no port, as in nbd:HOST:PORT");
    assertRefused(
        "nbd+unix:///disk", "'nbd+unix:///disk' names no socket, as in nbd+unix:///?socket=PATH");
  }

  @Test
  void blkdebugStandsBeforeAnotherName() throws BlockException {
    assertOptions(
        "blkdebug:rules:file:x",
        "driver",
        "blkdebug",
        "config",
        "rules",
        "image.driver",
        "file",
        "image.filename",
        "x");
    assertRefused("blkdebug:x", "blkdebug requires both config file and image path");
  }

  @Test
  void jsonIsFlattened() throws BlockException {
    assertOptions(
        "json:{ \"driver\": \"raw\", \"size\": 512, \"read-only\": true, \"file\": {\"driver\":"
            + " \"file\", \"filename\": \"a\\u00e4\\n"
            + "\"}, \"x\": [\"y\", []]}",
        "driver",
        "raw",
        "size",
        "512",
        "read-only",
        "on",
        "file.driver",
        "file",
        "file.filename",
        "aä\n",
        "x.0",
        "y");
    String refusal = "Could not parse the JSON options: ";
    assertRefused("json:", refusal + "not JSON, at character 1: an object is missing");
    assertRefused("json:{", refusal + "not JSON, at character 2: a name is missing");
    assertRefused(
        "json:{\"a\":1}x", refusal + "not JSON, at character 8: something follows the object");
    assertRefused("json:{\"a\":01}", refusal + "not JSON, at character 6: a value is missing");
    assertRefused("json:{\"a\":null}", refusal + "parameter 'a' is null");
    assertRefused("json:{\"a\":1,\"a\":2}", refusal + "parameter 'a' is given twice");
    assertRefused(
        "json:" + "{\"a\":".repeat(100_000),
        refusal + "not JSON, at character 326: more than 64 levels");
  }
}
