// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.AllocationWatch;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.NewDisk;
import dev.spindle.block.format.QemuEncrypted;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.image.CheckableImage;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.PreallocatingImage;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.image.SnapshottedImage;
import dev.spindle.block.object.Secret;
import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Images encrypted with LUKS, with QEMU's own for a second opinion. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EncryptedImageTest {
  private static final int SIZE = 3_000_320;
  private static final String PASSWORD = "öffne dich";
  private static final String QEMU_SECRET = "secret,id=s,data=" + PASSWORD;
  private static final UserObject SECRET = new Secret("s", PASSWORD.getBytes(UTF_8));

  /** Where the pointer to the LUKS header is in an image that is made here: behind its length. */
  private static final int POINTER = 112 + 8;

  @TempDir private Path folder;

  private static String node(Path file) {
    return "driver=qcow2,node-name=disk,discard=unmap,encrypt.format=luks,encrypt.key-secret=s,"
        + "file.driver=file,file.filename="
        + file;
  }

  private static QemuEncrypted qemu(Path file) {
    return new QemuEncrypted(
        QEMU_SECRET, "driver=qcow2,discard=unmap,encrypt.key-secret=s,file.filename=" + file);
  }

  private Path qemuMakes(String options) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuTool.encrypt(
        folder,
        List.of(
            "qemu-img",
            "create",
            "-q",
            "--object",
            QEMU_SECRET,
            "-f",
            "qcow2",
            "-o",
            "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10," + options,
            file.toString(),
            Integer.toString(SIZE)));
    return file;
  }

  private Path made(Map<String, String> more) throws Exception {
    Path file = folder.resolve("image.qcow2");
    Map<String, String> options = new HashMap<>(more);
    options.put("size", Integer.toString(SIZE));
    options.put("encrypt.format", "luks");
    options.put("encrypt.key-secret", "s");
    options.putIfAbsent("encrypt.iter-time", "10");
    try (TestGraph test = new TestGraph()) {
      test.control(() -> test.graph.objects().add(SECRET));
      NewDisk.make(test, "qcow2", file, options);
    }
    return file;
  }

  /** What a guest sees, and QEMU's opinion of the rest. */
  private byte[] qemuReads(Path file) throws Exception {
    qemu(file).check();
    return qemu(file).contents(folder.resolve("out.raw"));
  }

  private static byte[] read(Disk disk) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(SIZE, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 0, buffer)));
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  private static boolean has(Path file, byte[] words) throws Exception {
    // Each byte is a character of this set.
    String all = new String(Files.readAllBytes(file), ISO_8859_1);
    return all.contains(new String(words, ISO_8859_1));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=65536",
        "cluster_size=4096,encrypt.cipher-alg=aes-128,encrypt.hash-alg=sha1",
        "compat=0.10,cluster_size=16384",
        "cluster_size=65536,extended_l2=on,refcount_bits=1",
        "cluster_size=512,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,"
            + "encrypt.ivgen-hash-alg=sha256",
        "cluster_size=65536,backing_file=base.raw,backing_fmt=raw",
        "cluster_size=4096,data_file=FOLDER/data",
      })
  void whatQemuMakesIsReadAndWritten(String options) throws Exception {
    byte[] base = new byte[2_000_384];
    Arrays.fill(base, (byte) 9);
    Files.write(folder.resolve("base.raw"), base);
    Path file = qemuMakes(options.replace("FOLDER", folder.toString()));
    qemu(file).io("write -P 3 0 600k", "write -z 600k 424k", "write -P 7 131072 512");
    byte[] expected = new byte[SIZE];
    if (options.contains("backing")) {
      System.arraycopy(base, 0, expected, 0, base.length);
    }
    Arrays.fill(expected, 0, 1 << 20, (byte) 0);
    Arrays.fill(expected, 0, 600 << 10, (byte) 3);
    Arrays.fill(expected, 128 << 10, (128 << 10) + 512, (byte) 7);
    assertArrayEquals(expected, qemuReads(file));
    try (Disk disk = new Disk(node(file), List.of(SECRET))) {
      assertArrayEquals(expected, read(disk));
      assertEquals(0, disk.run(TestRequest.range(Operation.WRITE_ZEROES, 0, SIZE)));
      expected = RandomRequests.run(disk, SIZE);
      assertArrayEquals(expected, read(disk));
    }
    assertArrayEquals(expected, qemuReads(file));
    qemu(file).io("write -P 8 100k 1M");
    Arrays.fill(expected, 100 << 10, (100 << 10) + (1 << 20), (byte) 8);
    try (Disk disk = new Disk(node(file), List.of(SECRET))) {
      assertArrayEquals(expected, read(disk));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster-size=64k | xts | plain64 | aes-256",
        "cluster-size=512,version=v2 | cbc | plain64 | aes-128",
        "cluster-size=2M,extended-l2=on | xts | plain | aes-128",
      })
  void qemuReadsWhatIsMadeHere(String options, String mode, String vector, String cipher)
      throws Exception {
    Map<String, String> all = new HashMap<>(KeyValues.parse("test", options, null));
    all.put("encrypt.cipher-mode", mode);
    all.put("encrypt.ivgen-alg", vector);
    all.put("encrypt.cipher-alg", cipher);
    Path file = made(all);
    assertArrayEquals(new byte[SIZE], qemuReads(file));
    byte[] expected;
    try (Disk disk = new Disk(node(file), List.of(SECRET))) {
      expected = RandomRequests.run(disk, SIZE);
    }
    assertArrayEquals(expected, qemuReads(file));
    String said = QemuTool.run("qemu-img", "info", file.toString());
    for (String words :
        List.of(
            "encrypted: yes",
            "ivgen alg: " + vector,
            "cipher alg: " + cipher,
            "cipher mode: " + mode)) {
      assertTrue(said.contains(words), said);
    }
  }

  @Test
  void nothingOfTheDataIsInTheFile() throws Exception {
    Path file = made(Map.of());
    byte[] words = "what nobody is to read".getBytes(UTF_8);
    try (Disk disk = new Disk(node(file), List.of(SECRET));
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(4096, 4096).copyFrom(MemorySegment.ofArray(words));
      // New clusters, those there are, and one that was asked to be compressed.
      for (int at : List.of(0, 4096, 128 << 10)) {
        TestRequest write = TestRequest.transfer(Operation.WRITE, at, buffer);
        assertEquals(0, disk.run(write));
      }
      MemorySegment cluster = arena.allocate(64 << 10, 4096).copyFrom(MemorySegment.ofArray(words));
      TestRequest packed = TestRequest.transfer(Operation.WRITE, 256 << 10, cluster);
      packed.mayPack = true;
      assertEquals(0, disk.run(packed));
    }
    assertFalse(has(file, words));
    byte[] seen = qemuReads(file);
    for (int at : List.of(0, 4096, 128 << 10, 256 << 10)) {
      assertArrayEquals(words, Arrays.copyOfRange(seen, at, at + words.length));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"metadata", "falloc", "full"})
  void spaceThatIsTakenBeforeReadsAsZeroes(String mode) throws Exception {
    Path file =
        made(Map.of("preallocation", mode, "extended-l2", mode.equals("full") ? "on" : "off"));
    assertArrayEquals(new byte[SIZE], qemuReads(file));
    assertTrue(Files.size(file) > SIZE + (2 << 20));
    try (Disk disk = new Disk(node(file), List.of(SECRET))) {
      assertArrayEquals(new byte[SIZE], read(disk));
      assertArrayEquals(RandomRequests.run(disk, SIZE), read(disk));
    }
    OptionException refusal =
        assertThrows(
            OptionException.class, () -> made(Map.of("preallocation", mode, "version", "v2")));
    assertTrue(refusal.getMessage().contains("only with version=v3"), refusal.getMessage());
  }

  @Test
  void itKeepsSnapshotsAndChangesItsLength() throws Exception {
    Path file = made(Map.of("cluster-size", "4k"));
    byte[] first;
    try (Disk disk = new Disk(node(file), List.of(SECRET))) {
      first = RandomRequests.run(disk, SIZE);
    }
    try (TestGraph test = new TestGraph()) {
      test.control(() -> test.graph.objects().add(SECRET));
      BlockNode node = test.open(node(file));
      String id = test.get(() -> ((SnapshottedImage) node).createSnapshot("one", Instant.EPOCH));
      var backend = test.use(node, "u");
      var lane = test.lane(backend, test.io0);
      TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, 1000, 2_000_000);
      assertEquals(0, TestGraph.run(lane, zeroes));
      test.closeLane(lane);
      test.control(backend::close);
      byte[] second = first.clone();
      Arrays.fill(second, 1000, 2_001_000, (byte) 0);
      test.control(() -> assertEquals(0, errors(node)));
      test.control(() -> ((SnapshottedImage) node).applySnapshot(id));
      test.control(() -> ((SnapshottedImage) node).deleteSnapshot(id));
      BlockBackend resizing =
          test.get(
              () ->
                  new BlockBackend(
                      node,
                      new TestGraph.User("r"),
                      EnumSet.of(Permission.WRITE, Permission.RESIZE),
                      Permission.all()));
      test.control(() -> test.graph.resize(resizing, 1_000_448));
      test.control(() -> test.graph.resize(resizing, SIZE));
      test.control(
          () -> ((PreallocatingImage) node).preallocate(1_000_448, Preallocation.METADATA));
      test.control(resizing::close);
      test.control(test.graph::closeAll);
      Arrays.fill(first, 1_000_448, SIZE, (byte) 0);
    }
    assertArrayEquals(first, qemuReads(file));
  }

  private static long errors(BlockNode node) throws BlockException {
    var found = ((CheckableImage) node).checkImage(Set.of(), message -> {});
    return found.corruptions() + found.leaks();
  }

  @Test
  void itIsDescribedAsQemuDescribesIt() throws Exception {
    Path file = qemuMakes("encrypt.cipher-mode=cbc,encrypt.ivgen-alg=plain64");
    qemu(file).io("write -P 3 0 512");
    String said = QemuTool.run("qemu-img", "info", "--output=json", file.toString());
    try (TestGraph test = new TestGraph()) {
      test.control(test.graph::openForDescribing);
      BlockNode node =
          test.open("driver=qcow2,node-name=disk,file.driver=file,file.filename=" + file);
      var description = test.get(() -> ((DescribedImage) node).describeImage());
      assertTrue(description.encrypted());
      Map<?, ?> words = (Map<?, ?>) description.specific().get("encrypt");
      for (String word : List.of("format", "uuid", "payload-offset", "cipher-mode", "hash-alg")) {
        Object value = words.get(word);
        String json = value instanceof String ? "\"" + value + "\"" : value.toString();
        assertTrue(said.contains("\"" + word + "\": " + json), word + " in " + said);
      }
      // Nobody has said the password.
      assertTrue(node.readOnly());
      var lane = test.lane(test.use(node, "u"), test.io0);
      try (Arena arena = Arena.ofShared()) {
        MemorySegment buffer = arena.allocate(512, 512);
        assertEquals(-13, TestGraph.run(lane, TestRequest.transfer(Operation.READ, 0, buffer)));
      }
    }
  }

  private static String refusal(String description, UserObject... objects) {
    return assertThrows(BlockException.class, () -> new Disk(description, List.of(objects)).close())
        .getMessage();
  }

  @Test
  void withoutThePasswordNothingOpens() throws Exception {
    Path file = made(Map.of());
    byte[] before = Files.readAllBytes(file);
    assertEquals(
        "Invalid password, cannot unlock any keyslot",
        refusal(node(file), new Secret("s", "wrong".getBytes(UTF_8))));
    assertEquals("there is no secret object 's'", refusal(node(file)));
    assertEquals(
        "Parameter 'encrypt.key-secret' is required for cipher",
        refusal(node(file).replace("encrypt.key-secret=s,", ""), SECRET));
    assertEquals(
        "Header reported 'luks' encryption format but options specify 'aes'",
        refusal(node(file).replace("format=luks", "format=aes"), SECRET));
    assertArrayEquals(before, Files.readAllBytes(file));
    Path plain = folder.resolve("plain.qcow2");
    QemuImg.create(plain, "", SIZE);
    assertEquals(
        "No encryption in image header, but options specified format 'luks'",
        refusal(node(plain), SECRET));
    try (Disk disk = new Disk(node(file).replace("encrypt.format=luks,", ""), List.of(SECRET))) {
      assertArrayEquals(new byte[SIZE], read(disk));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "32 | 4 | 1 | The image is encrypted with AES-CBC, which is not supported",
        "32 | 4 | 0 | The image has an encryption header, and says that it is not encrypted",
        "112 | 4 | 0 | The image is encrypted with LUKS, and has no encryption header",
        "116 | 4 | 15 | Encryption header extension has 15 bytes instead of 16",
        "120 | 8 | 0 | Encryption header offset '0' is not a multiple of cluster size '65536', or"
            + " none of a file",
        "120 | 8 | 262656 | Encryption header offset '262656' is not a multiple of cluster size"
            + " '65536', or none of a file",
        "120 | 8 | -65536 | Encryption header offset '18446744073709486080' is not a multiple of"
            + " cluster size '65536', or none of a file",
        "120 | 8 | 0x10000000000 | 1099511627776",
        "128 | 8 | 0 | Encryption header of 0 bytes; from 1 to 16777216 are taken",
        "128 | 8 | -1 | Encryption header of 18446744073709551615 bytes; from 1 to 16777216 are"
            + " taken",
        "128 | 8 | 65536 | The LUKS header reaches up to 2068480, and the image has 65536 bytes for"
            + " it",
        "262144 | 4 | 0 | No LUKS header of version 1",
        "262352 | 4 | 0xdead | Invalid password, cannot unlock any keyslot",
        "266240 | 8 | 7 | Invalid password, cannot unlock any keyslot",
      })
  void aWrongHeaderIsRefused(int at, int bytes, String value, String sentence) throws Exception {
    Path file = made(Map.of());
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(POINTER);
      assertEquals(262_144, access.readLong());
      byte[] number = ByteBuffer.allocate(8).putLong(Long.decode(value)).array();
      access.seek(at);
      access.write(number, 8 - bytes, bytes);
    }
    String said = refusal(node(file), SECRET);
    assertTrue(said.contains(sentence), said);
  }

  @Test
  void creationRefusesWhatCannotBe() throws Exception {
    for (Map<String, String> options :
        List.of(
            Map.of("encrypt.cipher-alg", "twofish-256"),
            Map.of("encrypt.ivgen-alg", "essiv", "encrypt.cipher-mode", "cbc"),
            Map.of("encrypt.surprise", "on"))) {
      assertThrows(OptionException.class, () -> made(options), options::toString);
    }
  }

  @Test
  void readsAllocateNothing() throws Exception {
    Path file = folder.resolve("image.qcow2");
    try (TestGraph test = new TestGraph()) {
      test.control(() -> test.graph.objects().add(SECRET));
      Map<String, String> options =
          Map.of(
              "size",
              "8M",
              "encrypt.format",
              "luks",
              "encrypt.key-secret",
              "s",
              "encrypt.iter-time",
              "10");
      NewDisk.make(test, "qcow2", file, options);
    }
    qemu(file).io("write -P 1 0 8M");
    try (Disk disk = new Disk(node(file), List.of(SECRET))) {
      AllocationWatch.awaitNoAllocationByReads(disk);
    }
  }
}
