// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** {@code bench}: says how long an image takes for requests. */
final class BenchCommand implements ImgCommand {
  private static final OptionParser OPTIONS =
      new OptionParser(
          "hc:d:f:ni:o:qs:S:t:wU",
          "help=h",
          "flush-interval:",
          "pattern:",
          "image-opts",
          "no-drain",
          "force-share=U",
          "object:");

  private static final Set<String> WAYS = Set.of("threads", "native", "io_uring");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    int count = number(parsed.last("c"), 75_000, 0, Integer.MAX_VALUE, "request count");
    int depth = number(parsed.last("d"), 64, 1, Integer.MAX_VALUE, "queue depth");
    if (parsed.has("i") && !WAYS.contains(parsed.last("i"))) {
      throw new ToolException("Invalid aio option: " + parsed.last("i"));
    }
    long offset = bytes(parsed.last("o"), 0, "offset");
    long size = bytes(parsed.last("s"), 4096, "buffer size");
    long step = bytes(parsed.last("S"), 0, "step_size");
    CacheMode cache = CacheMode.WRITEBACK;
    if (parsed.has("t")) {
      cache =
          CacheMode.of(parsed.last("t")).orElseThrow(() -> new ToolException("Invalid cache mode"));
    }
    int flush = number(parsed.last("flush-interval"), 0, 0, Integer.MAX_VALUE, "flush interval");
    int pattern = number(parsed.last("pattern"), 0, 0, 0xff, "pattern byte");
    boolean writes = parsed.has("w");
    if (parsed.operands().size() != 1) {
      throw session.misuse("Expecting one image file name");
    }
    if (!writes && flush > 0) {
      throw new ToolException("--flush-interval is only available in write tests");
    }
    if (flush > 0 && flush < depth) {
      throw new ToolException("Flush interval can't be smaller than depth");
    }
    if (size == 0 || size > Integer.MAX_VALUE) {
      throw new ToolException("Invalid buffer size specified");
    }
    ImageWish wish =
        ImageWish.reading(parsed.operands().getFirst(), parsed.has("image-opts"), parsed.last("f"))
            .cache(cache)
            .forceShare(parsed.has("U"));
    BenchRun.Plan plan =
        new BenchRun.Plan(
            count,
            depth,
            offset,
            (int) size,
            step == 0 ? size : step,
            writes,
            (byte) pattern,
            flush,
            !parsed.has("no-drain"));
    return session.run(() -> run(session, wish, plan));
  }

  private static int run(ImgSession session, ImageWish wish, BenchRun.Plan plan)
      throws ToolException {
    try (ToolImage image = plan.writes() ? session.openToWrite(wish) : session.open(wish)) {
      session
          .output()
          .println(
              "Sending %d %s requests, %d bytes each, %d in parallel (starting at offset %d, step size %d)"
                  .formatted(
                      plan.count(),
                      plan.writes() ? "write" : "read",
                      plan.size(),
                      plan.depth(),
                      plan.offset(),
                      plan.step()));
      if (plan.flushInterval() > 0) {
        session.output().println("Sending flush every %d requests".formatted(plan.flushInterval()));
      }
      long start = System.nanoTime();
      new BenchRun(image, plan).run();
      session
          .output()
          .println(
              String.format(
                  Locale.ROOT,
                  "Run completed in %3.3f seconds.",
                  (System.nanoTime() - start) / 1e9));
    }
    return 0;
  }

  private static long bytes(String given, long otherwise, String what) throws ToolException {
    return given == null ? otherwise : ImgSession.bytes(given, what);
  }

  private static int number(String given, int otherwise, int least, int most, String what)
      throws ToolException {
    if (given == null) {
      return otherwise;
    }
    try {
      int number = Integer.decode(given);
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // It is refused as one that is too large.
    }
    throw new ToolException("Invalid " + what + " specified");
  }
}
