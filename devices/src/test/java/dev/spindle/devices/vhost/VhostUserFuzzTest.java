// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fuzzer is a front end: its bytes are messages, which descriptors go along, and what is in the
 * memory that it shares. Whatever they are, no fault of the back end's comes of them, nothing stays
 * behind, and the next client is served.
 */
class VhostUserFuzzTest {
  /** Set where an error is logged; what is thrown on a context's thread ends there. */
  private static final String LOGGED_ERROR = "spindle.test.error";

  /** How often an honest client does I/O. */
  private static final int HONEST_EVERY = 256;

  @TempDir static Path folder;
  private static ExportWorld world;
  private static Path socket;
  private static VhostUserSeeds.Files files;

  /** The next attack's, which is served and holds nothing. */
  private static FuzzFrontEnd next;

  private static int runs;

  static Stream<byte[]> seeds() {
    return VhostUserSeeds.all();
  }

  @BeforeAll
  static void serve() throws Exception {
    System.clearProperty(LOGGED_ERROR);
    world = new ExportWorld();
    socket = folder.resolve("fuzz.sock");
    Path image = Files.write(folder.resolve("fuzz.img"), new byte[1 << 20]);
    world.open("driver=file,node-name=disk,filename=" + image);
    world.export(
        "vhost-user-blk,id=fuzz,node-name=disk,writable=on,iothread=io0,num-queues=2,"
            + "addr.type=unix,addr.path="
            + socket);
    files = new VhostUserSeeds.Files(folder);
    honest();
    next = FuzzFrontEnd.connect(socket);
  }

  @AfterAll
  static void end() throws Exception {
    next.close();
    world.close();
    files.close();
  }

  @MethodSource("seeds")
  @FuzzTest(maxDuration = "", maxExecutions = 1_000)
  void messages(byte[] bytes) throws Exception {
    long descriptorsBefore = descriptors();
    long mappingsBefore = mappings();
    FuzzFrontEnd attack = next;
    attack.run(bytes, files);
    attack.close();
    if (++runs % HONEST_EVERY == 0) {
      honest();
    }
    // The export serves one client after the other: this one only once the attack is over.
    next = FuzzFrontEnd.connect(socket);
    assertEquals(descriptorsBefore, descriptors(), "open descriptors");
    assertEquals(mappingsBefore, mappings(), "mappings");
    assertNull(System.clearProperty(LOGGED_ERROR));
  }

  private static void honest() throws IOException {
    byte[] data = new byte[4096];
    data[0] = 1;
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      client.write(8, data);
      assertArrayEquals(data, client.read(8, data.length));
    }
  }

  /** But for jars, which are opened when the first class of theirs is needed. */
  private static long descriptors() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.filter(link -> !isJar(link)).count();
    }
  }

  private static boolean isJar(Path link) {
    try {
      return Files.readSymbolicLink(link).toString().endsWith(".jar");
    } catch (IOException e) {
      // Closed since: the one by which the others were listed.
      return true;
    }
  }

  /** Of memory that is shared with clients. */
  private static long mappings() throws IOException {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(line -> line.contains("/memfd:")).count();
    }
  }
}
