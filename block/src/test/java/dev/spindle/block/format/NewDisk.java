// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.options.Options;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Makes images with the creators that there are. */
public final class NewDisk {
  private NewDisk() {}

  /** Makes an image in a new file. */
  public static void make(TestGraph test, String driver, Path file, Map<String, String> options)
      throws Exception {
    Files.write(file, new byte[0]);
    test.control(
        () -> {
          Options given = new Options("new", options);
          ImageCreator.NewImage image = ImageCreator.load().get(driver).read(given);
          given.finish();
          BlockNode node =
              test.graph.open(Disk.options("driver=file,node-name=new,filename=" + file));
          try {
            ImageWriter.write(test.graph, node, driver, image);
          } finally {
            test.graph.close(node);
          }
        });
  }
}
