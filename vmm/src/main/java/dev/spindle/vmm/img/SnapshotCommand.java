// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.image.SnapshotDescription;
import dev.spindle.block.image.SnapshottedImage;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Option;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/** {@code snapshot}: lists, makes, applies and gives up snapshots that an image keeps in itself. */
final class SnapshotCommand implements ImgCommand {
  private static final OptionParser OPTIONS =
      new OptionParser("la:c:d:hqU", "help=h", "object:", "image-opts", "force-share=U");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    List<Option> actions =
        parsed.options().stream().filter(one -> "lacd".contains(one.name())).toList();
    if (actions.size() > 1) {
      throw session.misuse("Cannot mix '-l', '-a', '-c', '-d'");
    }
    String name = session.imageName(parsed);
    // As with qemu-img: without any of them the image is opened, and that is all.
    Option action = actions.isEmpty() ? new Option("", "") : actions.getFirst();
    ImageWish wish =
        ImageWish.reading(name, parsed.has("image-opts"), null).forceShare(parsed.has("U"));
    boolean changes = !action.name().equals("l");
    if (changes && parsed.has("U")) {
      throw new ToolException(
          "Could not open '%s': force-share=on can only be used with read-only images"
              .formatted(name));
    }
    return session.run(
        () -> {
          try (ToolImage image = changes ? session.openToWrite(wish) : session.open(wish)) {
            switch (action.name()) {
              case "a" -> apply(session, image, action.value());
              case "c" -> create(session, image, action.value());
              case "d" -> delete(session, image, action.value());
              case "l" -> list(session, image);
              default -> {}
            }
          }
          return 0;
        });
  }

  private static void list(ImgSession session, ToolImage image) throws ToolException {
    List<SnapshotDescription> snapshots = snapshots(session, image);
    if (!snapshots.isEmpty()) {
      session.output().println("Snapshot list:");
      SnapshotTable.lines(snapshots).forEach(session.output()::println);
    }
  }

  private static List<SnapshotDescription> snapshots(ImgSession session, ToolImage image)
      throws ToolException {
    return image.node() instanceof SnapshottedImage kept
        ? session.blocks().control(kept::snapshots)
        : List.of();
  }

  private static void create(ImgSession session, ToolImage image, String name)
      throws ToolException {
    if (!(image.node() instanceof SnapshottedImage kept)) {
      throw new ToolException(
          "Could not create snapshot '%s': %d (%s)"
              .formatted(name, -Errno.EOPNOTSUPP, Errno.message(Errno.EOPNOTSUPP)));
    }
    change(
        "create",
        name,
        () -> session.blocks().control(() -> kept.createSnapshot(name, Instant.now())));
  }

  private static void apply(ImgSession session, ToolImage image, String name) throws ToolException {
    if (!(image.node() instanceof SnapshottedImage kept)) {
      throw new ToolException(
          "Could not apply snapshot '%s': Block driver does not support snapshots".formatted(name));
    }
    List<SnapshotDescription> there = snapshots(session, image);
    String id =
        SnapshotWish.of(name)
            .find(there)
            .orElseThrow(
                () ->
                    new ToolException(
                        "Could not apply snapshot '%s': Failed to load snapshot: %s"
                            .formatted(name, Errno.message(Errno.ENOENT))));
    change(
        "apply",
        name,
        () ->
            session
                .blocks()
                .control(
                    () -> {
                      kept.applySnapshot(id);
                      return null;
                    }));
  }

  private static void delete(ImgSession session, ToolImage image, String name)
      throws ToolException {
    Optional<String> id = find(snapshots(session, image), one -> one.name().equals(name));
    if (id.isEmpty() || !(image.node() instanceof SnapshottedImage kept)) {
      throw new ToolException("Could not delete snapshot '%s': snapshot not found".formatted(name));
    }
    change(
        "delete",
        name,
        () ->
            session
                .blocks()
                .control(
                    () -> {
                      kept.deleteSnapshot(id.get());
                      return null;
                    }));
  }

  private static Optional<String> find(
      List<SnapshotDescription> snapshots, Predicate<SnapshotDescription> wanted) {
    return snapshots.stream().filter(wanted).map(SnapshotDescription::id).findFirst();
  }

  /** Something that waits, and that the image's driver may refuse. */
  @FunctionalInterface
  private interface Change {
    Object run() throws ToolException;
  }

  private static void change(String verb, String name, Change change) throws ToolException {
    try {
      change.run();
    } catch (ToolException e) {
      int errno = verb.equals("create") ? e.errno() : 0;
      String reason =
          errno == 0 ? e.getMessage() : "%d (%s)".formatted(-errno, Errno.message(errno));
      throw new ToolException("Could not %s snapshot '%s': %s".formatted(verb, name, reason), e);
    }
  }
}
