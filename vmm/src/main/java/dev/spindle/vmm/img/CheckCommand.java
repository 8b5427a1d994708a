// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.image.CheckableImage;
import dev.spindle.block.image.CheckableImage.Repair;
import dev.spindle.block.image.CheckableImage.Result;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.PrettyJson;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import dev.spindle.vmm.tool.ToolOutput;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** {@code check}: looks through an image's metadata, and mends them. */
final class CheckCommand implements ImgCommand {
  /** How it ends for a format that has nothing to check. */
  private static final int NOT_SUPPORTED = 63;

  private static final int ERRORS = 2;
  private static final int LEAKS = 3;

  private static final OptionParser OPTIONS =
      new OptionParser(
          "hf:r:T:qU",
          "help=h",
          "format=f",
          "repair=r",
          "output:",
          "object:",
          "image-opts",
          "force-share=U",
          "cache=T");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    Set<Repair> repairs = repairs(session, parsed.last("r"));
    String name = session.imageName(parsed);
    boolean json = ImgSession.wantsJson(parsed);
    ImageWish wish =
        ImageWish.reading(name, parsed.has("image-opts"), parsed.last("f"))
            .cache(ImgSession.cache(parsed.last("T"), CacheMode.WRITEBACK, "source cache"))
            .forceShare(parsed.has("U"));
    return session.run(
        () -> {
          try (ToolImage image =
              repairs.isEmpty() ? session.open(wish) : session.openToWrite(wish)) {
            if (!(image.node() instanceof CheckableImage checkable)) {
              session.output().error("This image format does not support checks");
              return NOT_SUPPORTED;
            }
            return check(session, image, checkable, repairs, json, parsed.has("q"));
          }
        });
  }

  private static Set<Repair> repairs(ImgSession session, String given) throws ToolException {
    if (given == null) {
      return Set.of();
    }
    return switch (given) {
      case "leaks" -> Set.of(Repair.LEAKS);
      case "all" -> EnumSet.allOf(Repair.class);
      default ->
          throw session.misuse(
              "Unknown option value for -r (expecting 'leaks' or 'all'): " + given);
    };
  }

  private static int check(
      ImgSession session,
      ToolImage image,
      CheckableImage checkable,
      Set<Repair> repairs,
      boolean json,
      boolean quiet)
      throws ToolException {
    ToolOutput output = session.output();
    Result result =
        session
            .blocks()
            .control(
                () ->
                    checkable.checkImage(
                        repairs,
                        line -> {
                          if (!quiet) {
                            output.errorLine(line);
                          }
                        }));
    if (!quiet && json) {
      output.println(PrettyJson.of(json(image, result)));
    } else if (!quiet) {
      output.print(text(result, !repairs.isEmpty()));
    }
    if (result.checkErrors() > 0) {
      return 1;
    }
    if (result.corruptions() > 0) {
      return ERRORS;
    }
    return result.leaks() > 0 ? LEAKS : 0;
  }

  private static Map<String, Object> json(ToolImage image, Result result) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("filename", image.name());
    json.put("format", image.node().driver());
    json.put("check-errors", result.checkErrors());
    putPositive(json, "image-end-offset", result.imageEndOffset());
    putPositive(json, "corruptions", result.corruptions());
    putPositive(json, "leaks", result.leaks());
    putPositive(json, "corruptions-fixed", result.corruptionsFixed());
    putPositive(json, "leaks-fixed", result.leaksFixed());
    putPositive(json, "total-clusters", result.clusters());
    putPositive(json, "allocated-clusters", result.allocated());
    putPositive(json, "fragmented-clusters", result.fragmented());
    putPositive(json, "compressed-clusters", result.compressed());
    return json;
  }

  private static void putPositive(Map<String, Object> json, String name, long number) {
    if (number > 0) {
      json.put(name, number);
    }
  }

  private static String text(Result result, boolean repairing) {
    StringBuilder text = new StringBuilder();
    if (repairing && result.corruptionsFixed() + result.leaksFixed() > 0) {
      text.append(
          """
          The following inconsistencies were found and repaired:

              %d leaked clusters
              %d corruptions

          Double checking the fixed image now...
          """
              .formatted(result.leaksFixed(), result.corruptionsFixed()));
    }
    if (result.corruptions() == 0 && result.leaks() == 0 && result.checkErrors() == 0) {
      text.append("No errors were found on the image.\n");
    } else {
      if (result.corruptions() > 0) {
        text.append(
            """

            %d errors were found on the image.
            Data may be corrupted, or further writes to the image may corrupt it.
            """
                .formatted(result.corruptions()));
      }
      if (result.leaks() > 0) {
        text.append(
            """

            %d leaked clusters were found on the image.
            This means waste of disk space, but no harm to data.
            """
                .formatted(result.leaks()));
      }
      if (result.checkErrors() > 0) {
        text.append(
            "\n%d internal errors have occurred during the check.\n"
                .formatted(result.checkErrors()));
      }
    }
    if (result.clusters() > 0 && result.allocated() > 0) {
      text.append(
          "%d/%d = %s%% allocated, %s%% fragmented, %s%% compressed clusters\n"
              .formatted(
                  result.allocated(),
                  result.clusters(),
                  share(result.allocated(), result.clusters()),
                  share(result.fragmented(), result.allocated()),
                  share(result.compressed(), result.allocated())));
    }
    if (result.imageEndOffset() > 0) {
      text.append("Image end offset: ").append(result.imageEndOffset()).append('\n');
    }
    return text.toString();
  }

  /** Rounded as C rounds: what is in the middle goes to the even digit. */
  private static BigDecimal share(long part, long all) {
    return new BigDecimal(part * 100.0 / all).setScale(2, RoundingMode.HALF_EVEN);
  }
}
