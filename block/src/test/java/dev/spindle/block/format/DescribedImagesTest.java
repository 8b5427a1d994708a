// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.ImageDescription;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is said of an image is what {@code qemu-img info} says. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DescribedImagesTest {
  @TempDir private Path folder;

  private static void print(StringBuilder text, String label, Object value, int level) {
    text.append("    ".repeat(level)).append(label).append(':');
    switch (value) {
      case Map<?, ?> map -> {
        text.append('\n');
        map.forEach((key, one) -> print(text, key.toString().replace('-', ' '), one, level + 1));
      }
      case List<?> list -> {
        text.append('\n');
        for (int i = 0; i < list.size(); i++) {
          print(text, "[" + i + "]", list.get(i), level + 1);
        }
      }
      default -> text.append(' ').append(value).append('\n');
    }
  }

  static List<ImageKind> kinds() {
    return QemuPeersTest.readableKinds();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void saysWhatQemuSays(ImageKind kind) throws Exception {
    Path raw = Files.write(folder.resolve("contents.raw"), QemuPeersTest.sparse(2, 3 << 20));
    Path image = folder.resolve("image");
    QemuPeersTest.convert(kind, raw, image);
    try (Disk disk = new Disk(QemuPeersTest.node(kind, image, ",read-only=on"))) {
      DescribedImage described = (DescribedImage) disk.node;
      ImageDescription description = disk.mainLoop.control("describe", described::describeImage);
      StringBuilder text = new StringBuilder();
      description.clusterSize().ifPresent(size -> text.append("cluster_size: " + size + "\n"));
      if (!description.specific().isEmpty()) {
        print(text, "Format specific information", description.specific(), 0);
      }
      String info = QemuImg.run("qemu-img", "info", "-f", kind.format(), image);
      assertEquals(info.replaceFirst("(?s)^.*?disk size: [^\n]*\n", ""), text.toString());
    }
  }
}
