// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.image.EmptiedImage;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.mirror.ActiveCommitJob;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolBlocks;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** {@code commit}: copies what an image holds into one that it backs onto. */
final class CommitCommand implements ImgCommand {
  private static final OptionParser OPTIONS =
      new OptionParser("f:ht:b:dpqr:", "help=h", "object:", "image-opts", "rate-limit=r");

  /** Who holds the image while it is committed. */
  private static final BackendUser COMMITTER = () -> "the commit";

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    long rate = parsed.last("r") == null ? 0 : ImgSession.bytes(parsed.last("r"), "rate limit");
    String name = session.imageName(parsed);
    CacheMode cache = ImgSession.cache(parsed.last("t"), CacheMode.WRITEBACK, "cache");
    ImageWish wish =
        ImageWish.reading(name, parsed.has("image-opts"), parsed.last("f"))
            .cache(cache)
            // The commit closes what nobody uses and nobody has named, and this is needed after it.
            .more(Map.of("node-name", "committed"));
    boolean shown = parsed.has("p") && !parsed.has("q");
    return session.run(
        () -> {
          Optional<String> base = Optional.ofNullable(parsed.last("b"));
          Progress progress = new Progress(session.output(), shown, 0);
          try (ToolImage image = session.openToWrite(wish)) {
            boolean keeps = parsed.has("d") || base.isPresent();
            commit(session.blocks(), image, base, rate, keeps);
          } catch (ToolException e) {
            progress.endLine();
            throw e;
          }
          progress.end();
          if (!parsed.has("q")) {
            session.output().println("Image committed.");
          }
          return 0;
        });
  }

  /**
   * Copies it.
   *
   * @param keeps whether the image goes on holding what it holds
   */
  private static void commit(
      ToolBlocks blocks, ToolImage image, Optional<String> base, long rate, boolean keeps)
      throws ToolException {
    BlockNode top = image.node();
    BackingChain chain = blocks.control(() -> chain(image, base));
    new JobRun(blocks, JobOptions.of("commit").atSpeed(rate))
        .run(options -> new ActiveCommitJob(blocks.graph(), chain, options, Optional.empty()));
    if (keeps || !(BackingChain.image(top) instanceof EmptiedImage emptied)) {
      return;
    }
    try {
      blocks.control(
          () -> {
            makeEmpty(top, emptied);
            return null;
          });
    } catch (ToolException e) {
      int errno = e.errno();
      throw new ToolException(
          "Failed to empty %s: %s"
              .formatted(image.name(), errno == 0 ? e.getMessage() : Errno.message(errno)),
          e);
    }
  }

  private static void makeEmpty(BlockNode top, EmptiedImage emptied) throws BlockException {
    BlockBackend writer =
        new BlockBackend(top, COMMITTER, EnumSet.of(Permission.WRITE), Permission.all());
    try {
      emptied.makeEmpty();
    } finally {
      writer.close();
    }
  }

  private static BackingChain chain(ToolImage image, Optional<String> base) throws BlockException {
    BackingChain all = BackingChain.of(image.node());
    BlockNode bottom;
    if (base.isPresent()) {
      bottom =
          ChainNames.find(all, base.get())
              .orElseThrow(
                  () ->
                      new BlockException(
                          "Did not find '%s' in the backing chain of '%s'"
                              .formatted(base.get(), image.name())));
    } else {
      bottom =
          BackingChain.backing(BackingChain.image(image.node()))
              .map(BlockEdge::node)
              .orElseThrow(() -> new BlockException("Image does not have a backing file"));
    }
    return all.downTo(bottom).orElseThrow();
  }
}
