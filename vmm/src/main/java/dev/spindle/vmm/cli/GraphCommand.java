// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.GraphDump;
import dev.spindle.block.options.OptionException;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.machine.DeviceOption;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** {@code spindle graph}: opens disks as {@code run} would, and shows how they hang together. */
final class GraphCommand implements Callable<Integer> {
  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);
  private final OptionSpec format =
      OptionSpec.builder("--format")
          .type(Format.class)
          .paramLabel("FORMAT")
          .defaultValue("text")
          .description("text, dot (for Graphviz) or svg (made by Graphviz); text unless given.")
          .build();

  /** What to print. */
  private enum Format {
    text,
    dot,
    svg
  }

  private GraphCommand() {
    DiskOptionSpecs.addTo(spec);
    spec.addOption(format);
  }

  static CommandSpec spec() {
    return new GraphCommand().spec;
  }

  @Override
  public Integer call() throws IOException, OptionException {
    ParseResult parsed = spec.commandLine().getParseResult();
    if (OptionHelp.printed(spec.commandLine())) {
      return ExitCode.OK;
    }
    RunOptions.DiskConfig config = RunOptions.from(parsed).disks(1);
    GraphDump dump;
    try (BlockLayer blockLayer =
        new BlockLayer(
            config.ioThreads(), config.throttleGroups(), config.objects(), config.nodes())) {
      dump = blockLayer.mainLoop().control("graph", () -> picture(blockLayer, config.devices()));
    }
    spec.commandLine().getOut().print(render(dump));
    spec.commandLine().getOut().flush();
    return ExitCode.OK;
  }

  private static GraphDump picture(BlockLayer blockLayer, List<DeviceOption> devices)
      throws BlockException {
    List<VirtioBlkDevice> disks = new ArrayList<>();
    Map<String, List<String>> spread = new HashMap<>();
    try {
      for (DeviceOption device : devices) {
        if (device instanceof DeviceOption.Disk disk) {
          VirtioBlkDevice made = blockLayer.makeDisk(disk);
          disks.add(made);
          List<String> threads = disk.queues().ioThreads();
          if (threads.stream().distinct().count() > 1) {
            spread.put(made.describe(), threads);
          }
        }
      }
      // Nobody drives the queues here, so where they would run is what the user asks for: by queue.
      return GraphDump.of(blockLayer.graph()).withContexts(spread);
    } finally {
      disks.forEach(VirtioBlkDevice::close);
    }
  }

  private String render(GraphDump dump) throws IOException {
    Format chosen = format.getValue();
    return switch (chosen) {
      case text -> dump.toText();
      case dot -> dump.toDot();
      case svg -> svg(dump.toDot());
    };
  }

  private static String svg(String dot) throws IOException {
    Process process;
    try {
      process =
          new ProcessBuilder("dot", "-Tsvg").redirectError(ProcessBuilder.Redirect.DISCARD).start();
    } catch (IOException e) {
      throw new IOException(
          "dot cannot be started: install Graphviz with apt-get install graphviz", e);
    }
    try (var input = process.getOutputStream()) {
      input.write(dot.getBytes(StandardCharsets.UTF_8));
    }
    String svg = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new IOException("dot ended with status " + process.exitValue());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while dot was at work", e);
    }
    return svg;
  }
}
