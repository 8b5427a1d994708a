// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The drivers of {@code docs/examples}, used as a user would. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ExampleDriversTest {
  private static final Path EXAMPLES = Path.of("..", "docs", "examples");

  @TempDir Path folder;
  private PluginWorld world;

  @BeforeEach
  void start() throws Exception {
    world = new PluginWorld();
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private static String driver(String example) {
    return "driver=java,source=" + EXAMPLES.resolve(example);
  }

  /** What a tool prints or leaves; fails the test if it does not like what it is given. */
  private static void runTool(List<String> command) throws Exception {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .start();
    String output = new String(process.getInputStream().readAllBytes(), "UTF-8");
    assertEquals(0, process.waitFor(), output);
  }

  @Test
  void everyExampleIsTestedHere() throws Exception {
    try (Stream<Path> files = Files.list(EXAMPLES)) {
      assertEquals(
          List.of("Count.java", "Encrypt.java", "Pattern.java", "Ram.java"),
          files.map(file -> file.getFileName().toString()).sorted().toList());
    }
    assertTrue(Files.readAllLines(EXAMPLES.resolve("Ram.java")).size() < 50);
  }

  @Test
  void ramKeepsWhatIsWritten() throws Exception {
    BlockNode ram = world.open(driver("Ram.java") + ",node-name=ram,size=8M");
    assertEquals(8 << 20, ram.length());
    assertFalse(ram.readOnly());
    BackendLane lane = world.use(ram, world.test.io0);
    byte[] model = new byte[8 << 20];
    Random random = new Random(1);
    for (int i = 0; i < 1000; i++) {
      byte[] data = new byte[1 + random.nextInt(10000)];
      random.nextBytes(data);
      int offset = random.nextInt(model.length - data.length);
      assertEquals(0, PluginWorld.write(lane, offset, data));
      System.arraycopy(data, 0, model, offset, data.length);
    }
    assertArrayEquals(model, PluginWorld.read(lane, 0, model.length));
  }

  @Test
  void countCounts() throws Exception {
    Path report = folder.resolve("totals.txt");
    BlockNode filter =
        world.open(
            driver("Count.java")
                + ",node-name=count,file.driver=java,file.size=1M,file.source="
                + EXAMPLES.resolve("Ram.java")
                + ",report="
                + report);
    BackendLane lane = world.use(filter, world.test.io0);
    assertEquals(0, PluginWorld.write(lane, 0, new byte[512]));
    assertEquals(0, PluginWorld.write(lane, 4096, new byte[1024]));
    assertEquals(1024, PluginWorld.read(lane, 4096, 1024).length);
    assertEquals(0, PluginWorld.range(lane, Operation.FLUSH, 0, 0));
    world.closeNodes();
    assertEquals(
        "reads 1 (1024 bytes), writes 2 (1536 bytes), flushes 1\n", Files.readString(report));
  }

  /** OpenSSL's opinion, sector by sector, of what is in the file. */
  @Test
  void encryptKeepsOnlySecretsInItsFile() throws Exception {
    byte[] key = new byte[32];
    byte[] plain = new byte[5 * 512];
    Random random = new Random(2);
    random.nextBytes(key);
    random.nextBytes(plain);
    Path image = Files.write(folder.resolve("image"), new byte[1 << 20]);
    Path keyFile = Files.write(folder.resolve("key"), key);
    BlockNode node =
        world.open(
            driver("Encrypt.java")
                + ",node-name=crypt,file.driver=file,file.filename="
                + image
                + ",key-file="
                + keyFile);
    BackendLane lane = world.use(node, world.test.io0);
    int first = 700;
    assertEquals(0, PluginWorld.write(lane, first * 512L, plain));
    // Parts of two sectors.
    byte[] change = new byte[300];
    Arrays.fill(change, (byte) 1);
    assertEquals(0, PluginWorld.write(lane, first * 512L + 900, change));
    System.arraycopy(change, 0, plain, 900, change.length);
    assertEquals(0, PluginWorld.range(lane, Operation.WRITE_ZEROES, (first + 4) * 512L, 512));
    Arrays.fill(plain, 4 * 512, 5 * 512, (byte) 0);
    assertArrayEquals(plain, PluginWorld.read(lane, first * 512L, plain.length));
    byte[] file = Files.readAllBytes(image);
    for (int i = 0; i < 5; i++) {
      assertArrayEquals(
          Arrays.copyOfRange(plain, i * 512, (i + 1) * 512),
          decryptSector(
              Arrays.copyOfRange(file, (first + i) * 512, (first + i + 1) * 512), first + i, key));
    }
  }

  private byte[] decryptSector(byte[] secret, long sector, byte[] key) throws Exception {
    HexFormat hex = HexFormat.of();
    byte[] number = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(sector).array();
    String vectorKey = hex.formatHex(MessageDigest.getInstance("SHA-256").digest(key));
    byte[] vector = openssl(number, "-e", "-aes-256-ecb", "-K", vectorKey);
    return openssl(
        secret, "-d", "-aes-256-cbc", "-K", hex.formatHex(key), "-iv", hex.formatHex(vector));
  }

  private byte[] openssl(byte[] input, String... options) throws Exception {
    Path in = Files.write(folder.resolve("in"), input);
    Path out = folder.resolve("out");
    List<String> command = new ArrayList<>(List.of("openssl", "enc", "-nopad"));
    command.addAll(Arrays.asList(options));
    command.addAll(List.of("-in", in.toString(), "-out", out.toString()));
    runTool(command);
    return Files.readAllBytes(out);
  }

  /** The same bytes as nbdkit's plugin of that name makes up. */
  @Test
  void patternIsThatOfNbdkit() throws Exception {
    int size = 2 << 20;
    Path expected = folder.resolve("expected");
    runTool(
        List.of(
            "nbdkit",
            "-U",
            "-",
            "pattern",
            Integer.toString(size),
            "--run",
            "qemu-img convert -f raw -O raw $nbd " + expected));
    BlockNode node = world.open(driver("Pattern.java") + ",node-name=pattern,size=" + size);
    assertTrue(node.readOnly());
    BackendLane lane = world.use(node, world.test.io0);
    assertArrayEquals(Files.readAllBytes(expected), PluginWorld.read(lane, 0, size));
    byte[] part = Arrays.copyOfRange(Files.readAllBytes(expected), 1003, 1003 + 77);
    assertArrayEquals(part, PluginWorld.read(lane, 1003, 77));
  }

  @Test
  void severalRequestsAreOnTheirWayAtOnce() throws Exception {
    BackendLane lane =
        world.use(world.open(driver("Ram.java") + ",node-name=ram,size=1M"), world.test.io0);
    List<TestRequest> writes =
        Stream.iterate(0, i -> i + 1)
            .limit(64)
            .map(
                i -> {
                  byte[] data = new byte[4096];
                  Arrays.fill(data, i.byteValue());
                  return TestRequest.transfer(Operation.WRITE, i * 4096L, PluginWorld.memory(data));
                })
            .toList();
    lane.context().execute(() -> writes.forEach(lane::submit));
    writes.forEach(write -> assertEquals(0, write.result.join()));
    byte[] all = PluginWorld.read(lane, 0, 64 * 4096);
    for (int i = 0; i < all.length; i++) {
      assertEquals((byte) (i / 4096), all[i]);
    }
  }
}
