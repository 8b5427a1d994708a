// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.io.IoCommand.Misuse;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser.Option;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/** Commands that open and close the image, and those about {@code io} itself. */
final class OpenCommands {
  private OpenCommands() {}

  static List<IoCommand> all() {
    return List.of(
        new IoCommand(
                "open",
                "o",
                "snCro:ki:t:d:U",
                1,
                -1,
                "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]",
                "open the file specified by path",
                OpenCommands::open)
            .needingNoImage(),
        new IoCommand(
            "reopen",
            "",
            "c:o:rw",
            0,
            -1,
            "[(-r|-w)] [-c cache] [-o options]",
            "reopens an image with new options",
            OpenCommands::reopen),
        new IoCommand(
            "close",
            "c",
            "",
            0,
            0,
            "",
            "close the current open file",
            (session, parsed) -> {
              session.close();
              return true;
            }),
        new IoCommand(
                "quit",
                "q",
                "",
                0,
                0,
                "",
                "exit the program",
                (session, parsed) -> {
                  session.quit();
                  return true;
                })
            .needingNoImage(),
        new IoCommand(
                "sleep",
                "",
                "",
                1,
                1,
                "",
                "waits for the given value in milliseconds",
                OpenCommands::sleep)
            .needingNoImage(),
        new IoCommand(
                "abort",
                "",
                "",
                0,
                0,
                "",
                "simulate a program crash using abort(3)",
                (session, parsed) -> signal("ABRT"))
            .needingNoImage(),
        new IoCommand(
                "sigraise",
                "",
                "",
                1,
                1,
                "signal",
                "raises a signal",
                (session, parsed) -> signal(parsed.operands().getFirst()))
            .needingNoImage());
  }

  /** What the letters of {@code open}, and of {@code io} itself, say of how to open an image. */
  static ImageWish wish(String name, boolean byOptions, Parsed parsed) throws ToolException {
    ImageWish wish =
        ImageWish.reading(name, byOptions, null)
            .writable(!parsed.has("r"))
            .forceShare(parsed.has("U"))
            .copyOnRead(parsed.has("C"));
    for (Option option : parsed.options()) {
      switch (option.name()) {
        case "n" -> wish = wish.cache(CacheMode.of("none").orElseThrow());
        case "t" ->
            wish =
                wish.cache(
                    CacheMode.of(option.value())
                        .orElseThrow(
                            () -> new ToolException("Invalid cache option: " + option.value())));
        case "d" ->
            wish =
                wish.unmap(
                    switch (option.value()) {
                      case "unmap", "on" -> true;
                      case "ignore", "off" -> false;
                      default ->
                          throw new ToolException("Invalid discard option: " + option.value());
                    });
        case "i" -> {
          if (!List.of("threads", "native", "io_uring").contains(option.value())) {
            throw new ToolException("Invalid aio option: " + option.value());
          }
        }
        case "s" -> wish = wish.temporarily();
        default -> {}
      }
    }
    return wish;
  }

  private static boolean open(IoSession session, Parsed parsed) throws Misuse, ToolException {
    Map<String, String> options = new LinkedHashMap<>();
    for (Option option : parsed.options()) {
      if (option.name().equals("o")) {
        try {
          options.putAll(KeyValues.parse("-o", option.value(), null));
        } catch (OptionException e) {
          throw new ToolException(e.getMessage(), e);
        }
      }
    }
    if (parsed.operands().size() > 1 || (parsed.operands().isEmpty() && options.isEmpty())) {
      throw new Misuse();
    }
    if (session.hasImage()) {
      throw new ToolException("file open already, try 'help close'");
    }
    if (parsed.operands().isEmpty()) {
      StringBuilder text = new StringBuilder();
      options.forEach(
          (key, value) ->
              text.append(text.isEmpty() ? "" : ",")
                  .append(key)
                  .append('=')
                  .append(value.replace(",", ",,")));
      session.open(wish(text.toString(), true, parsed));
    } else {
      session.open(wish(parsed.operands().getFirst(), false, parsed).more(options));
    }
    return true;
  }

  /** With other rights or another cache, the image is opened anew; nothing is on its way then. */
  private static boolean reopen(IoSession session, Parsed parsed) throws Misuse, ToolException {
    if (!parsed.operands().isEmpty()) {
      throw new Misuse();
    }
    if (parsed.has("r") && parsed.has("w")) {
      throw new ToolException("Only one -r/-w option may be given");
    }
    ImageWish before = session.image().wish();
    ImageWish wish = before;
    for (Option option : parsed.options()) {
      switch (option.name()) {
        case "c" ->
            wish =
                wish.cache(
                    CacheMode.of(option.value())
                        .orElseThrow(
                            () -> new ToolException("Invalid cache option: " + option.value())));
        case "r" -> wish = wish.writable(false);
        case "w" -> wish = wish.writable(true);
        default ->
            throw new ToolException(
                "Cannot change the option '" + option.value().replaceFirst("=.*", "") + "'");
      }
    }
    if (wish.writable() == before.writable() && wish.cache().equals(before.cache())) {
      session.awaitAll();
      return true;
    }
    session.close();
    try {
      session.open(wish);
    } catch (ToolException e) {
      session.open(before);
      throw e;
    }
    return true;
  }

  private static boolean sleep(IoSession session, Parsed parsed) throws Misuse {
    String text = parsed.operands().getFirst();
    if (!text.matches("\\d{1,9}")) {
      throw new Misuse(text + " is not a valid number");
    }
    long end = System.nanoTime() + Long.parseLong(text) * 1_000_000;
    for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
    return true;
  }

  /** Sends the process a signal, with what was printed so far gone out as if there were none. */
  private static boolean signal(String signal) throws ToolException {
    try {
      int status =
          new ProcessBuilder("kill", "-" + signal, Long.toString(ProcessHandle.current().pid()))
              .inheritIO()
              .start()
              .waitFor();
      return status == 0;
    } catch (IOException e) {
      throw new ToolException("cannot run kill: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
