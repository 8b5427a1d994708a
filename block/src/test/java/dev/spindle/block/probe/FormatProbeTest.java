// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.format.ImageKind;
import dev.spindle.block.format.QemuImg;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.image.ImageProbe;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What images are taken for, beside what qemu-img takes them for. */
final class FormatProbeTest {
  private static final Pattern FORMAT = Pattern.compile("\"format\": \"([^\"]*)\"");
  private static final List<BlockDriver> DRIVERS =
      ServiceLoader.load(BlockDriver.class).stream().map(ServiceLoader.Provider::get).toList();

  @TempDir private Path folder;

  private static String probe(byte[] head, String filename) {
    return FormatProbe.probe(DRIVERS, MemorySegment.ofArray(head), filename);
  }

  private static byte[] head(Path image) throws Exception {
    try (InputStream in = Files.newInputStream(image)) {
      return in.readNBytes(ImageProbe.LENGTH);
    }
  }

  private static Stream<ImageKind> kinds() {
    return Stream.of(
        new ImageKind("raw", "", false),
        new ImageKind("qcow2", "compat=0.10", true),
        new ImageKind("qcow2", "extended_l2=on", true),
        ImageKind.VDI,
        ImageKind.VPC,
        // Which is seen only from the end, and so by nobody.
        ImageKind.VPC_FIXED,
        ImageKind.VMDK,
        ImageKind.VMDK_FLAT,
        ImageKind.VMDK_PARTS,
        ImageKind.VMDK_STREAM,
        ImageKind.VHDX,
        ImageKind.PARALLELS);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void imagesAreWhatQemuTakesThemFor(ImageKind kind) throws Exception {
    Path image = folder.resolve("image");
    String options = kind.options().isEmpty() ? "size=4M" : "size=4M," + kind.options();
    QemuImg.run("qemu-img", "create", "-f", kind.format(), "-o", options, image);
    Matcher format = FORMAT.matcher(QemuImg.run("qemu-img", "info", "--output=json", image));
    assertEquals(true, format.find());
    assertEquals(format.group(1), probe(head(image), image.toString()));
  }

  @Test
  void readOnlyFormatsAreKnownToo() {
    byte[] bochs = new byte[512];
    put(bochs, 0, "Bochs Virtual HD Image");
    put(bochs, 32, "Redolog");
    put(bochs, 48, "Growing");
    assertEquals("bochs", probe(bochs, "x"));
    put(bochs, 48, "Undoable");
    assertEquals("raw", probe(bochs, "x"));
    byte[] cloop = new byte[512];
    put(cloop, 0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0");
    assertEquals("cloop", probe(cloop, "x"));
    assertEquals("dmg", probe(new byte[512], "x.dmg"));
  }

  @Test
  void whatIsTooShortOrAnotherVersionIsRaw() {
    byte[] qcow = new byte[512];
    put(qcow, 0, "QFI\u00fb\0\0\0\2");
    assertEquals("qcow2", probe(qcow, "x"));
    qcow[7] = 1;
    assertEquals("raw", probe(qcow, "x"));
    assertEquals("raw", probe(new byte[] {'c', 'o', 'n', 'e', 'c', 't', 'i'}, "x"));
    assertEquals("raw", probe(new byte[0], "x"));
    byte[] text = "\n".repeat(ImageProbe.LENGTH).getBytes(StandardCharsets.ISO_8859_1);
    assertEquals("raw", probe(text, "x"));
    put(text, 1000, "version=4\n");
    assertEquals("raw", probe(text, "x"));
    put(text, 1000, "version=1\n");
    assertEquals("vmdk", probe(text, "x"));
  }

  private static void put(byte[] head, int offset, String latin1) {
    byte[] bytes = latin1.getBytes(StandardCharsets.ISO_8859_1);
    System.arraycopy(bytes, 0, head, offset, bytes.length);
  }
}
