// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BlockStatus;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** {@code compare}: says whether two images hold the same. */
final class CompareCommand implements ImgCommand {
  private static final int DIFFERENT = 1;
  private static final int FAILED = 2;
  private static final int NOT_READ = 4;
  private static final long PIECE = 2 << 20;
  private static final long SECTOR = 512;

  private static final OptionParser OPTIONS =
      new OptionParser("hf:F:T:pqsU", "help=h", "object:", "image-opts", "force-share=U");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    if (parsed.operands().size() != 2) {
      throw session.misuse("Expecting two image file names");
    }
    try {
      CacheMode cache = ImgSession.cache(parsed.last("T"), CacheMode.WRITEBACK, "source cache");
      return session.run(
          () -> {
            try (ToolImage one = session.open(wish(parsed, 0, "f", cache));
                ToolImage other = session.open(wish(parsed, 1, "F", cache))) {
              return new Comparison(session, parsed, one, other).run();
            }
          });
    } catch (ToolException e) {
      Img.report(session.output(), e);
      return FAILED;
    }
  }

  private static ImageWish wish(Parsed parsed, int index, String format, CacheMode cache) {
    return ImageWish.reading(
            parsed.operands().get(index), parsed.has("image-opts"), parsed.last(format))
        .cache(cache)
        .forceShare(parsed.has("U"));
  }

  /** One comparison. */
  private static final class Comparison {
    private final ImgSession session;
    private final boolean quiet;
    private final boolean strict;
    private final ToolImage one;
    private final ToolImage other;
    private final Progress progress;
    private final MemorySegment oneData = Arena.ofAuto().allocate(PIECE, 4096);
    private final MemorySegment otherData = Arena.ofAuto().allocate(PIECE, 4096);

    Comparison(ImgSession session, Parsed parsed, ToolImage one, ToolImage other) {
      this.session = session;
      this.quiet = parsed.has("q");
      this.strict = parsed.has("s");
      this.one = one;
      this.other = other;
      this.progress =
          new Progress(
              session.output(), parsed.has("p") && !quiet, Math.max(one.length(), other.length()));
    }

    int run() {
      long common = Math.min(one.length(), other.length());
      if (strict && one.length() != other.length()) {
        return different("Strict mode: Image size mismatch!");
      }
      int status = compareCommon(common);
      if (status == 0 && one.length() != other.length()) {
        say("Warning: Image size mismatch!");
        ToolImage longer = one.length() > other.length() ? one : other;
        status = checkEmpty(longer, common, longer.length());
      }
      if (status == 0) {
        say("Images are identical.");
      }
      progress.endLine();
      return status;
    }

    private int compareCommon(long common) {
      for (long position = 0; position < common; ) {
        BlockStatus left = one.status(position, common - position);
        BlockStatus right = other.status(position, common - position);
        long length = Math.min(left.length(), right.length());
        if (strict && (left.data() != right.data() || left.zero() != right.zero())) {
          return different("Strict mode: Offset " + position + " block status mismatch!");
        }
        int status = 0;
        if (left.zero() && right.zero()) {
          // Nothing to read.
          status = 0;
        } else if (left.zero()) {
          status = checkEmpty(other, position, position + length);
        } else if (right.zero()) {
          status = checkEmpty(one, position, position + length);
        } else {
          length = Math.min(length, PIECE);
          status = compareData(position, length);
        }
        if (status != 0) {
          return status;
        }
        position += length;
        progress.add(length);
      }
      return 0;
    }

    private int compareData(long position, long length) {
      MemorySegment left = oneData.asSlice(0, length);
      MemorySegment right = otherData.asSlice(0, length);
      int status = one.read(position, left);
      if (status < 0) {
        return notRead(one, position, status);
      }
      status = other.read(position, right);
      if (status < 0) {
        return notRead(other, position, status);
      }
      long mismatch = left.mismatch(right);
      return mismatch < 0 ? 0 : mismatch(position + mismatch);
    }

    private int checkEmpty(ToolImage image, long start, long end) {
      for (long position = start; position < end; ) {
        BlockStatus status = image.status(position, end - position);
        long length = status.length();
        if (!status.zero()) {
          length = Math.min(length, PIECE);
          MemorySegment data = oneData.asSlice(0, length);
          int result = image.read(position, data);
          if (result < 0) {
            return notRead(image, position, result);
          }
          long zeroes = Zeroes.runLength(data, 0, length, SECTOR, true);
          if (zeroes < length) {
            return mismatch(position + zeroes);
          }
        }
        position += length;
      }
      return 0;
    }

    private int mismatch(long position) {
      return different("Content mismatch at offset " + (position & -SECTOR) + "!");
    }

    private int different(String line) {
      say(line);
      return DIFFERENT;
    }

    private int notRead(ToolImage image, long position, int status) {
      session
          .output()
          .error(
              "Error while reading offset %d of %s: %s"
                  .formatted(position, image.name(), Errno.message(-status)));
      return NOT_READ;
    }

    private void say(String line) {
      if (!quiet) {
        session.output().println(line);
      }
    }
  }
}
