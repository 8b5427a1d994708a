// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.BadOption;
import dev.spindle.vmm.tool.OptionParser.Option;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolBlocks;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolObjects;
import dev.spindle.vmm.tool.ToolOutput;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** {@code spindle io}, and {@code qemu-io} where a script expects it. */
public final class Io {
  private static final OptionParser OPTIONS =
      new OptionParser(
          "hVc:d:f:rsnCmki:t:T:U",
          "help=h",
          "version=V",
          "cmd=c",
          "format=f",
          "read-only=r",
          "snapshot=s",
          "nocache=n",
          "copy-on-read=C",
          "misalign=m",
          "native-aio=k",
          "aio=i",
          "discard=d",
          "cache=t",
          "trace=T",
          "force-share=U",
          "object:",
          "image-opts");

  private final ToolOutput output;
  private final IoSession session;
  private final CommandLoop commands;

  private Io(ToolOutput output, ToolBlocks blocks) {
    this.output = output;
    this.session = new IoSession(output, blocks);
    this.commands = new CommandLoop(session);
  }

  /**
   * Runs one command line.
   *
   * @param arguments those after the program's name
   * @param input where commands come from if none are given
   * @return the exit status
   */
  public static int run(ToolOutput output, List<String> arguments, InputStream input) {
    int status;
    try {
      status = start(output, arguments, input);
    } catch (ToolException e) {
      output.error(e.getMessage());
      status = 1;
    }
    output.flush();
    return status;
  }

  private static int start(ToolOutput output, List<String> arguments, InputStream input)
      throws ToolException {
    Parsed parsed;
    try {
      parsed = OPTIONS.parse(arguments);
    } catch (BadOption e) {
      output.error(problem(e));
      output.print(usage(output.program()));
      return 1;
    }
    if (parsed.has("h")) {
      output.print(usage(output.program()));
      return 0;
    }
    if (parsed.has("V")) {
      String version = Io.class.getModule().getDescriptor().rawVersion().orElse("(not packaged)");
      output.println(output.program() + " of Spindle " + version);
      return 0;
    }
    if (parsed.operands().size() > 1) {
      output.print(usage(output.program()));
      return 1;
    }
    try (ToolBlocks blocks = ToolBlocks.start()) {
      ToolObjects.add(blocks, parsed.all("object"));
      return blocks.run(() -> new Io(output, blocks).run(parsed, input));
    }
  }

  private static String problem(BadOption e) {
    if (e.option().startsWith("--")) {
      return e.isMissingValue()
          ? "option '" + e.option() + "' requires an argument"
          : "unrecognized option '" + e.option() + "'";
    }
    String letter = e.option().substring(1);
    return e.isMissingValue()
        ? "option requires an argument -- '" + letter + "'"
        : "invalid option -- '" + letter + "'";
  }

  private int run(Parsed parsed, InputStream input) throws ToolException {
    String name = parsed.operands().isEmpty() ? "" : parsed.operands().getFirst();
    ImageWish wish = OpenCommands.wish(name, parsed.has("image-opts"), parsed);
    if (parsed.last("f") != null) {
      wish = wish.inFormat(parsed.last("f"));
    }
    if (!name.isEmpty()) {
      session.open(wish);
    }
    boolean right = true;
    List<String> given = new ArrayList<>();
    for (Option option : parsed.options()) {
      if (option.name().equals("c")) {
        given.add(option.value());
      }
    }
    for (String command : given) {
      if (!session.hasQuit()) {
        right &= commands.run(command);
      }
    }
    if (given.isEmpty()) {
      right = interact(input);
    }
    session.close();
    return right ? 0 : 1;
  }

  private boolean interact(InputStream input) throws ToolException {
    boolean right = true;
    BufferedReader lines = new BufferedReader(new InputStreamReader(input, StandardCharsets.UTF_8));
    try {
      while (!session.hasQuit()) {
        output.printNow(output.program() + "> ");
        String line = lines.readLine();
        if (line == null) {
          break;
        }
        right &= commands.run(line);
      }
    } catch (IOException e) {
      throw new ToolException("cannot read commands: " + e.getMessage(), e);
    }
    return right;
  }

  private static String usage(String program) {
    return """
    Usage: %s [OPTION...] [-c COMMAND]... [FILE]

    Reads and writes a disk image by hand. Commands and output are those of QEMU's qemu-io.

      -c, --cmd COMMAND      run a command; without any, they come from standard input
      -f, --format FORMAT    the image's format
      -r, --read-only        do not write
      -n, --nocache          past the host's cache (-t none)
      -t, --cache MODE       none, directsync, writeback, unsafe or writethrough
      -d, --discard MODE     ignore or unmap
      -C, --copy-on-read     keep what is read from backing files
      -U, --force-share      let others use the image in whatever way
      --image-opts           FILE is driver=...,file.filename=...
      -h, --help             show this
      -V, --version          show the version

    '%s -c help' lists the commands.
    """
        .formatted(program, program);
  }
}
