// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.image.CheckableImage;
import dev.spindle.block.image.CheckableImage.Repair;
import dev.spindle.block.image.CheckableImage.Result;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A check finds what {@code qemu-img check} finds, and mends what that mends. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CheckedImagesTest {
  @TempDir private Path folder;

  /** Something that was done to an image. */
  @FunctionalInterface
  private interface Damage {
    void to(RandomAccessFile file) throws Exception;
  }

  private record Case(ImageKind kind, String what, Damage damage, boolean mended) {
    @Override
    public String toString() {
      return kind + " " + what;
    }
  }

  private static Damage putInt(long offset, int value) {
    return file -> {
      file.seek(offset);
      file.writeInt(Integer.reverseBytes(value));
    };
  }

  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (ImageKind kind : QemuPeersTest.readableKinds()) {
      if (kind.checked()) {
        cases.add(new Case(kind, "as it is", file -> {}, false));
      }
    }
    cases.add(new Case(ImageKind.VDI, "block used twice", putInt(528, 0), false));
    cases.add(new Case(ImageKind.VDI, "block too large", putInt(528, 0x77), false));
    cases.add(new Case(ImageKind.VDI, "count", putInt(0x184, 7), false));
    cases.add(new Case(ImageKind.VHDX, "cut off", file -> file.setLength(9 << 20), false));
    cases.add(
        new Case(
            ImageKind.PARALLELS,
            "too long",
            file -> file.setLength(file.length() + (5 << 19)),
            true));
    cases.add(new Case(ImageKind.PARALLELS, "cut off", file -> file.setLength(2 << 20), true));
    cases.add(new Case(ImageKind.PARALLELS, "in use", putInt(44, 0x746f6e59), true));
    return cases;
  }

  private Path make(Case which) throws Exception {
    Path image = folder.resolve("image");
    List<Object> create =
        new ArrayList<>(List.of("qemu-img", "create", "-q", "-f", which.kind.format()));
    if (!which.kind.options().isEmpty()) {
      create.addAll(List.of("-o", which.kind.options()));
    }
    create.addAll(List.of(image, 10 << 20));
    QemuImg.run(create.toArray());
    if (!which.kind.equals(ImageKind.VMDK_STREAM)) {
      QemuImg.run(
          "qemu-io",
          "-f",
          which.kind.format(),
          "-c",
          "write -P 1 0 64k",
          "-c",
          "write -P 2 4M 64k",
          "-c",
          "write -P 3 2M 64k",
          image);
    }
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      which.damage.to(file);
    }
    return image;
  }

  private static String output(Object... command) throws Exception {
    List<String> words = new ArrayList<>();
    for (Object word : command) {
      words.add(word.toString());
    }
    Process process =
        new ProcessBuilder(words).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    return new String(process.getInputStream().readAllBytes(), UTF_8);
  }

  private static long number(String json, String name) {
    Matcher found = Pattern.compile("\"" + name + "\": (\\d+)").matcher(json);
    return found.find() ? Long.parseLong(found.group(1)) : 0;
  }

  private static Result qemu(ImageKind kind, Path image) throws Exception {
    String json = output("qemu-img", "check", "--output=json", "-f", kind.format(), image);
    return new Result(
        number(json, "corruptions"),
        number(json, "leaks"),
        number(json, "check-errors"),
        0,
        0,
        number(json, "image-end-offset"),
        number(json, "total-clusters"),
        number(json, "allocated-clusters"),
        number(json, "fragmented-clusters"),
        number(json, "compressed-clusters"));
  }

  private static Result ours(ImageKind kind, Path image, Set<Repair> repairs) throws Exception {
    String more = repairs.isEmpty() ? ",read-only=on" : "";
    List<String> said = new ArrayList<>();
    try (Disk disk = new Disk(QemuPeersTest.node(kind, image, more))) {
      CheckableImage checkable = (CheckableImage) disk.node;
      Result result =
          disk.mainLoop.control("check", () -> checkable.checkImage(repairs, said::add));
      boolean nothing =
          result.corruptions() + result.leaks() + result.corruptionsFixed() + result.leaksFixed()
              == 0;
      assertEquals(nothing, said.isEmpty(), said::toString);
      return result;
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void findsWhatQemuFinds(Case which) throws Exception {
    Path image = make(which);
    byte[] before = Files.readAllBytes(image);
    assertEquals(qemu(which.kind, image), ours(which.kind, image, Set.of()));
    assertArrayEquals(before, Files.readAllBytes(image));
  }

  static List<Case> mendedCases() {
    return cases().stream().filter(Case::mended).toList();
  }

  @ParameterizedTest
  @MethodSource("mendedCases")
  void mendsWhatQemuMends(Case which) throws Exception {
    Path image = make(which);
    Result found = qemu(which.kind, image);
    Result mended = ours(which.kind, image, EnumSet.allOf(Repair.class));
    assertEquals(found.corruptions(), mended.corruptionsFixed());
    assertEquals(found.leaks(), mended.leaksFixed());
    assertEquals(0, mended.corruptions() + mended.leaks());
    Result left = qemu(which.kind, image);
    assertEquals(0, left.corruptions() + left.leaks());
  }
}
