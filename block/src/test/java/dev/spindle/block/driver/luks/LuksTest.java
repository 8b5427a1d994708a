// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.luks;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.NewDisk;
import dev.spindle.block.format.QemuEncrypted;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.object.Secret;
import dev.spindle.block.object.UserObject;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** LUKS disks, with QEMU's own for a second opinion. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LuksTest {
  private static final int SIZE = 1 << 20;
  private static final String PASSWORD = "öffne dich";
  private static final String QEMU_SECRET = "secret,id=s,data=" + PASSWORD;
  private static final UserObject SECRET = new Secret("s", PASSWORD.getBytes(UTF_8));

  @TempDir private Path folder;

  private static String node(Path file) {
    return "driver=luks,node-name=disk,key-secret=s,file.driver=file,file.filename=" + file;
  }

  private static void qemuCreate(Path file, String options) throws Exception {
    List<String> command =
        List.of(
            "qemu-img",
            "create",
            "-q",
            "--object",
            QEMU_SECRET,
            "-f",
            "luks",
            "-o",
            "key-secret=s,iter-time=10," + options,
            file.toString(),
            Integer.toString(SIZE));
    QemuTool.encrypt(file.getParent(), command);
  }

  /** An image that is made here. */
  private Path made() throws Exception {
    Path file = folder.resolve("ours.luks");
    try (TestGraph test = new TestGraph()) {
      test.control(() -> test.graph.objects().add(SECRET));
      create(test, file, Map.of());
    }
    return file;
  }

  private static QemuEncrypted qemu(Path file) {
    return new QemuEncrypted(QEMU_SECRET, "driver=luks,key-secret=s,file.filename=" + file);
  }

  private byte[] qemuReads(Path file) throws Exception {
    return qemu(file).contents(folder.resolve("out.raw"));
  }

  private static void create(TestGraph test, Path file, Map<String, String> more) throws Exception {
    Map<String, String> options = new HashMap<>(more);
    options.putIfAbsent("size", Integer.toString(SIZE));
    options.putIfAbsent("key-secret", "s");
    options.putIfAbsent("iter-time", "10");
    NewDisk.make(test, "luks", file, options);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cipher-alg=aes-256",
        "cipher-alg=aes-128,hash-alg=sha1",
        "ivgen-alg=plain,hash-alg=sha512",
        "cipher-mode=cbc,ivgen-alg=plain64,hash-alg=sha384",
        "cipher-mode=cbc,cipher-alg=aes-128,ivgen-alg=essiv,ivgen-hash-alg=sha256",
      })
  void whatQemuMakesIsReadAndWritten(String options) throws Exception {
    Path file = folder.resolve("qemu.luks");
    qemuCreate(file, options);
    qemu(file).io("write -P 3 0 600k", "write -P 0 600k 424k", "write -P 7 128k 512");
    byte[] expected = new byte[SIZE];
    Arrays.fill(expected, 0, 600 << 10, (byte) 3);
    Arrays.fill(expected, 128 << 10, (128 << 10) + 512, (byte) 7);
    try (Disk disk = new Disk(node(file), List.of(SECRET))) {
      assertArrayEquals(expected, read(disk));
      assertEquals(0, disk.run(TestRequest.range(Operation.WRITE_ZEROES, 0, SIZE)));
      expected = RandomRequests.run(disk, SIZE);
    }
    assertArrayEquals(expected, qemuReads(file));
  }

  private static byte[] read(Disk disk) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(SIZE, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 0, buffer)));
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "xts,plain64,aes-256,''",
    "xts,plain,aes-128,''",
    "cbc,essiv,aes-256,sha256",
    "cbc,plain64,aes-128,''"
  })
  void qemuReadsWhatIsMadeHere(String mode, String vector, String cipher, String hash)
      throws Exception {
    Path file = folder.resolve("ours.luks");
    Map<String, String> options = new HashMap<>();
    options.put("cipher-mode", mode);
    options.put("ivgen-alg", vector);
    options.put("cipher-alg", cipher);
    if (!hash.isEmpty()) {
      options.put("ivgen-hash-alg", hash);
    }
    try (TestGraph test = new TestGraph()) {
      test.control(() -> test.graph.objects().add(SECRET));
      create(test, file, options);
    }
    byte[] data = new byte[SIZE];
    new Random(3).nextBytes(data);
    try (Disk disk = new Disk(node(file), List.of(SECRET));
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(SIZE, 4096).copyFrom(MemorySegment.ofArray(data));
      assertEquals(0, disk.run(TestRequest.transfer(Operation.WRITE, 0, buffer)));
    }
    assertArrayEquals(data, qemuReads(file));
    String said = QemuTool.run("qemu-img", "info", file.toString());
    for (String words :
        List.of("ivgen alg: " + vector, "cipher alg: " + cipher, "cipher mode: " + mode)) {
      assertTrue(said.contains(words), said);
    }
    byte[] stored = Files.readAllBytes(file);
    assertEquals(-1, Collections.indexOfSubList(boxed(stored), boxed(Arrays.copyOf(data, 16))));
  }

  private static List<Byte> boxed(byte[] bytes) {
    List<Byte> all = new ArrayList<>();
    for (byte one : bytes) {
      all.add(one);
    }
    return all;
  }

  @Test
  void itIsDescribedAsQemuDescribesIt() throws Exception {
    Path file = folder.resolve("qemu.luks");
    qemuCreate(file, "cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256");
    String said = QemuTool.run("qemu-img", "info", "--output=json", file.toString());
    try (TestGraph test = new TestGraph()) {
      test.control(test.graph::openForDescribing);
      BlockNode node =
          test.open("driver=luks,node-name=disk,file.driver=file,file.filename=" + file);
      Map<String, Object> words =
          test.get(() -> ((DescribedImage) node).describeImage()).specific();
      assertEquals("essiv", words.get("ivgen-alg"));
      assertEquals("aes-256", words.get("cipher-alg"));
      for (String word :
          List.of("uuid", "payload-offset", "master-key-iters", "ivgen-hash-alg", "hash-alg")) {
        Object value = words.get(word);
        String json = value instanceof String ? "\"" + value + "\"" : value.toString();
        assertTrue(said.contains("\"" + word + "\": " + json), word + " in " + said);
      }
      assertEquals(SIZE, node.length());
      // Nobody has said the password.
      assertEquals(
          -13,
          TestGraph.run(
              test.lane(test.use(node, "u"), test.io0),
              TestRequest.range(Operation.WRITE_ZEROES, 0, 512)));
    }
  }

  private String refusal(String description, UserObject... objects) {
    return assertThrows(BlockException.class, () -> new Disk(description, List.of(objects)).close())
        .getMessage();
  }

  @Test
  void withoutThePasswordNothingOpens() throws Exception {
    Path file = made();
    assertEquals(
        "Invalid password, cannot unlock any keyslot",
        refusal(node(file), new Secret("s", "wrong".getBytes(UTF_8))));
    assertEquals(
        "Invalid password, cannot unlock any keyslot",
        refusal(node(file), new Secret("s", new byte[0])));
    assertEquals("there is no secret object 's'", refusal(node(file)));
    assertEquals(
        "Parameter 'key-secret' is required for cipher",
        refusal(node(file).replace(",key-secret=s", ""), SECRET));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0|1|0|No LUKS header of version 1",
        "6|2|2|No LUKS header of version 1",
        "8|4|0x58585858|The cipher 'XXXX-xts-plain64' is not supported",
        "8|4|0x01020304|A name in the LUKS header is no text",
        "40|4|0x6c72772d|The cipher 'aes-lrw-plain64' is not supported",
        "72|4|0x6d643500|The digest 'md5' is not supported",
        "104|4|8|Key slot 0 overlaps the data",
        "104|4|0xffffffff|The data of * begin at 2199023255040, and it has 3117056 bytes",
        "108|4|0|A LUKS key of 0 bytes is not supported",
        "108|4|0xffffffff|A LUKS key of 4294967295 bytes is not supported",
        "108|4|17|The cipher 'aes-xts-plain64' has no keys of 17 bytes",
        "164|4|0|0 iterations for a key; from 1 to 100000000 are taken",
        "164|4|0xffffffff|4294967295 iterations for a key; from 1 to 100000000 are taken",
        "208|4|0|Key slot 0 is neither in use nor free (state 0x0)",
        "212|4|0xffffffff|4294967295 iterations for a key; from 1 to 100000000 are taken",
        "248|4|0|Key slot 0 overlaps the LUKS header",
        "248|4|512|Key slots 0 and 1 overlap",
        "248|4|0xffffffff|Key slot 0 overlaps the data",
        "252|4|0xffffffff|Key slot 0 has 4294967295 stripes, where LUKS has 4000",
        "208|4|0x0000dead|Invalid password, cannot unlock any keyslot",
        "112|1|1|Invalid password, cannot unlock any keyslot",
        "4096|1|1|Invalid password, cannot unlock any keyslot",
      })
  void aWrongHeaderIsRefused(int at, int bytes, String value, String sentence) throws Exception {
    Path file = made();
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      byte[] number = ByteBuffer.allocate(8).putLong(Long.decode(value)).array();
      access.seek(at);
      byte[] before = new byte[bytes];
      access.readFully(before);
      access.seek(at);
      byte[] now = Arrays.copyOfRange(number, 8 - bytes, 8);
      if (Arrays.equals(before, now)) {
        now[0] ^= 2;
      }
      access.write(now);
    }
    String said = refusal(node(file), SECRET);
    assertTrue(said.matches(Pattern.quote(sentence).replace("*", "\\E.*\\Q")), said);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 6, 512, 4096, 100_000, 2_000_000})
  void aHeaderThatEndsBeforeIsRefused(int length) throws Exception {
    Path file = made();
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.setLength(length);
    }
    String said = refusal(node(file), SECRET);
    assertTrue(said.contains("no metadata at offset") || said.contains("begin at"), said);
  }

  @Test
  void itGrowsAndShrinks() throws Exception {
    Path file = made();
    qemu(file).io("write -P 5 0 1M");
    try (TestGraph test = new TestGraph()) {
      test.control(() -> test.graph.objects().add(SECRET));
      BlockNode node = test.open(node(file));
      test.control(() -> node.resize(2 * SIZE + 1));
      assertEquals(2 * SIZE + 512, node.length());
      test.control(() -> node.resize(SIZE / 2));
      assertEquals(SIZE / 2, node.length());
      test.control(test.graph::closeAll);
    }
    byte[] expected = new byte[SIZE / 2];
    Arrays.fill(expected, (byte) 5);
    assertArrayEquals(expected, qemuReads(file));
  }
}
