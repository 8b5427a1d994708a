// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Disks whose nodes refer to other objects, from the command line to the graph. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class GraphCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int graph(String... arguments) {
    List<String> all = new ArrayList<>(List.of("graph"));
    all.addAll(Arrays.asList(arguments));
    String[] line = all.toArray(String[]::new);
    List<Subcommand> subcommands = List.of(new Subcommand("graph", "Shows.", GraphCommand::spec));
    return Main.commandLine(subcommands, line)
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(line);
  }

  private static final String[] DISK = {
    "--blockdev", "driver=null-co,node-name=disk,size=1M",
    "--blockdev", "driver=throttle,node-name=slow,throttle-group=g,file=disk",
    "--device", "virtio-blk-pci,id=vd0,drive=slow,num-queues=1"
  };

  private int graphOfDisk(String object) {
    List<String> all = new ArrayList<>(List.of("--object", object));
    all.addAll(Arrays.asList(DISK));
    return graph(all.toArray(String[]::new));
  }

  @Test
  void aThrottleNodeJoinsTheGroupThatTheUserMade() {
    assertEquals(0, graphOfDisk("throttle-group,id=g,x-iops-total=100"), err::toString);
    assertEquals(
        """
        block device 'vd0': 0 in flight
          root: slow (throttle, group g, 1048576 bytes, on main-loop) uses consistent read, write
            file: disk (null-co, 1048576 bytes, on main-loop) uses consistent read, write
        """,
        out.toString());
    assertEquals("", err.toString());
  }

  @Test
  void aFileIsNamedAndSoIsEachQueuesIothread(@TempDir Path folder) throws Exception {
    Path image = Files.write(folder.resolve("a.img"), new byte[1 << 20]);
    String[] disk = {
      "--object=iothread,id=io0",
      "--object=iothread,id=io1",
      "--blockdev=driver=file,node-name=disk,filename=" + image,
      "--device=virtio-blk-pci,id=vd0,drive=disk,num-queues=3,iothread-vq-mapping.0.iothread=io0,"
          + "iothread-vq-mapping.1.iothread=io1"
    };
    assertEquals(0, graph(disk), err::toString);
    assertEquals(
        """
        block device 'vd0': 0 in flight on io0, io1, io0
          root: disk (file, %s, 1048576 bytes, on io0) uses consistent read, write
        """
            .formatted(image),
        out.toString());
  }

  @Test
  void driversThatAUserWroteAreShown(@TempDir Path folder) {
    String[] disk = {
      "--blockdev=driver=java,node-name=ram,source=../docs/examples/Ram.java,size=8M",
      "--blockdev=driver=java,node-name=count,source=../docs/examples/Count.java,file=ram,report="
          + folder.resolve("totals.txt"),
      "--device=virtio-blk-pci,id=vd0,drive=count,num-queues=1"
    };
    assertEquals(0, graph(disk), err::toString);
    assertEquals(
        """
        block device 'vd0': 0 in flight
          root: count (java, 'Count' of ../docs/examples/Count.java, 8388608 bytes, on main-loop)\
         uses consistent read, write
            file: ram (java, 'Ram' of ../docs/examples/Ram.java, 8388608 bytes, on main-loop) uses\
         consistent read, write
        """,
        out.toString());
    assertEquals("", err.toString());
    assertTrue(Files.exists(folder.resolve("totals.txt")));
  }

  @Test
  void aDriverThatAUserWroteWrongIsRefusedWithEachLine(@TempDir Path folder) throws Exception {
    Path source =
        Files.writeString(folder.resolve("Wrong.java"), "class Wrong {\n  int x = \"\"\n}\n");
    assertEquals(1, graph("--blockdev", "driver=java,node-name=n,source=" + source));
    assertEquals(
        "spindle: --blockdev n: '%s' cannot be compiled:\n%s:2: ';' expected\n"
            .formatted(source, source),
        err.toString());
    assertEquals("", out.toString());
  }

  @Test
  void aThrottleNodeWithoutItsGroupIsRefused() {
    assertEquals(1, graphOfDisk("throttle-group,id=other"));
    assertEquals("spindle: --blockdev slow: Throttle group 'g' does not exist\n", err.toString());
    assertEquals("", out.toString());
  }
}
