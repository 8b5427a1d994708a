// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code img} beside qemu-img, on qcow2 images that stand on others, or are packed. */
final class ImgChainsSideBySideTest {
  @TempDir Path folder;
  private SideBySide tools;

  /** Three images on each other, each with data of its own. */
  @BeforeEach
  void makeChain() throws Exception {
    tools = new SideBySide(folder);
    tools.img("create -q -f qcow2 @base 4M");
    tools.io("-f qcow2 @base", "write -P 1 0 1M", "write -P 2 3M 64k");
    tools.img("create -q -f qcow2 -b base -F qcow2 @middle");
    tools.io("-f qcow2 @middle", "write -P 3 512k 1M", "write -z 128k 64k");
    tools.img("create -q -f qcow2 -b middle -F qcow2 @top 5M");
    tools.io("-f qcow2 @top", "write -P 4 1M 300k", "write -P 5 4M 64k", "discard 0 64k");
  }

  @AfterEach
  void assertAlike() {
    tools.assertAlike();
  }

  private void assertContents(String image) throws Exception {
    tools.img("check -q " + image);
    tools.io(
        "-f qcow2 " + image,
        "read -P 1 64k 64k",
        "read -P 0 128k 64k",
        "read -P 3 512k 512k",
        "read -P 4 1M 300k",
        "read -P 2 3M 64k",
        "read -P 5 4M 64k");
  }

  @Test
  void commitsIntoTheImageBelow() throws Exception {
    tools.img("commit -f qcow2 @top");
    tools.img("map --output=json @middle");
    tools.img("info @middle");
    tools.img("commit -d @top");
    tools.img("commit -q @middle");
    assertContents("@base");
    assertContents("@top");
    tools.compareImages("base", "middle", "top");
    tools.img("commit @base");
  }

  @Test
  void commitsIntoAnImageFarBelow() throws Exception {
    tools.img("commit -b @nothing @top");
    tools.img("commit -b @base @top");
    assertContents("@base");
    assertContents("@top");
    tools.compareImages("base", "top");
  }

  @Test
  void commitsAfterWrongCommandLines() throws Exception {
    for (String command :
        new String[] {
          "commit",
          "commit @top @base",
          "commit -t foo @top",
          "commit -r abc @top",
          "commit @none",
          "commit -f raw @top",
          "rebase",
          "rebase @top",
          "rebase -b base -F qcow2",
          "rebase -t foo -b base -F qcow2 @top",
          "rebase -T foo -b base -F qcow2 @top",
          "rebase -b base -F foo @top",
          "rebase -b base @top",
          "rebase -u -b base @top",
          "rebase -b none -F qcow2 @top",
        }) {
      tools.img(command);
    }
    tools.compareImages("base", "middle", "top");
  }

  @Test
  void standsOnAnotherImage() throws Exception {
    tools.img("create -q -f qcow2 @other 2M");
    tools.io("-f qcow2 @other", "write -P 1 0 100k", "write -P 9 1M 1M");
    tools.img("rebase -b other -F qcow2 @top");
    assertContents("@top");
    tools.img("info @top");
    tools.compareImages("top");
    tools.img("rebase -f qcow2 -b @base -F qcow2 @top");
    assertContents("@top");
    tools.img("rebase -b middle -F qcow2 @top");
    assertContents("@top");
    tools.compareImages("top");
  }

  @Test
  void leavesOutAnImageInBetween() throws Exception {
    tools.img("rebase -b base -F qcow2 @top");
    assertContents("@top");
    tools.img("map --output=json @top");
    tools.compareImages("top");
  }

  @Test
  void namesAnotherImageWithoutLooking() throws Exception {
    tools.img("rebase -u -b nowhere -F qcow2 @top");
    tools.img("info @top");
    tools.img("map @top");
    tools.img("rebase -u -b base -F qcow2 @top");
    tools.img("map @top");
    tools.compareImages("top");
  }

  @Test
  void mapsChains() throws Exception {
    for (String command :
        new String[] {
          "map @top",
          "map --output=json @top",
          "map @middle",
          "map --output=json @base",
          "map -s 100k -l 3M --output=json @top"
        }) {
      tools.img(command);
    }
  }

  @Test
  void packsAndUnpacks() throws Exception {
    tools.img("convert -c -O qcow2 @top @packed");
    assertContents("@packed");
    tools.img("map --output=json @packed");
    tools.img("map @packed");
    tools.compareImages("packed");
    tools.img("convert -c -O qcow2 -o cluster_size=4k,compression_type=zstd @top @small");
    assertContents("@small");
    tools.compareImages("small");
    tools.img("convert -c -O qcow2 -B base -F qcow2 @middle @over");
    tools.compareImages("over");
    tools.img("convert -c -O qcow2 -o preallocation=metadata @top @none");
    tools.img("convert -c -O raw @top @none");
    tools.img("convert -O raw @packed @plain");
    tools.compareFile("plain");
  }

  @Test
  void convertsSnapshots() throws Exception {
    tools.img("snapshot -c one @base");
    tools.io("-f qcow2 @base", "write -P 8 0 1M");
    tools.img("snapshot -c two @base");
    tools.img("convert -l one -O raw @base @first");
    tools.img("convert -l 2 -O raw @base @second");
    tools.img("convert -l snapshot.name=one -O raw @base @third");
    tools.img("convert -l snapshot.id=2,snapshot.name=two -O raw @base @fourth");
    tools.img("convert -l snapshot.foo=2 -O raw @base @none");
    tools.img("convert -l three -O raw @base @none");
    tools.img("convert -l one -O raw @base @top @none");
    for (String name : new String[] {"first", "second", "third", "fourth"}) {
      tools.compareFile(name);
    }
    tools.compareImages("base");
  }
}
