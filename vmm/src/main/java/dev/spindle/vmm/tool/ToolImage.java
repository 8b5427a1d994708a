// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.probe.FileName;
import dev.spindle.block.probe.FormatProbe;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * An image that a tool has open: its nodes, and requests on it. Straight-line code of the tool's
 * context ({@link ToolBlocks#run}) only.
 */
public final class ToolImage implements AutoCloseable {
  /** Of a probed raw image, what may not come to look like another format. */
  private static final long PROBED = 512;

  private final ToolBlocks blocks;
  private final ImageWish wish;
  private final Set<BlockNode> nodes;
  private final BlockBackend backend;
  private final BackendLane lane;
  private final boolean probedRaw;
  private boolean closed;

  private ToolImage(
      ToolBlocks blocks,
      ImageWish wish,
      Set<BlockNode> nodes,
      BlockBackend backend,
      BackendLane lane,
      boolean probedRaw) {
    this.blocks = blocks;
    this.wish = wish;
    this.nodes = nodes;
    this.backend = backend;
    this.lane = lane;
    this.probedRaw = probedRaw;
  }

  /** What opening found. */
  private record Found(BlockNode node, boolean probedRaw) {}

  /**
   * Opens an image.
   *
   * @throws ToolException with the reason alone; nothing is open then
   */
  public static ToolImage open(ToolBlocks blocks, ImageWish wish) throws ToolException {
    return blocks.control(() -> new Opening(blocks, wish).run());
  }

  /**
   * A node that is open already, to be read; closing this does not close it.
   *
   * @throws ToolException with the reason alone
   */
  public static ToolImage ofNode(ToolBlocks blocks, BlockNode node) throws ToolException {
    ImageWish wish = ImageWish.reading(node.name(), false, null);
    return blocks.control(() -> hold(blocks, wish, node, Set.of(), false));
  }

  private static ToolImage hold(
      ToolBlocks blocks, ImageWish wish, BlockNode node, Set<BlockNode> nodes, boolean probedRaw)
      throws BlockException {
    Set<Permission> used = Permission.none();
    used.add(Permission.CONSISTENT_READ);
    if (wish.writable()) {
      used.add(Permission.WRITE);
      used.add(Permission.RESIZE);
    }
    BlockBackend backend = new BlockBackend(node, new User(wish.name()), used, Permission.all());
    backend.setWriteThrough(wish.cache().writeThrough());
    BackendLane lane = blocks.context().call(() -> backend.openLane(blocks.context()));
    return new ToolImage(blocks, wish, nodes, backend, lane, probedRaw);
  }

  /** One opening. Control side. */
  private static final class Opening {
    private final ToolBlocks blocks;
    private final BlockGraph graph;
    private final ImageWish wish;
    private final NodeOptions completion;

    Opening(ToolBlocks blocks, ImageWish wish) {
      this.blocks = blocks;
      this.graph = blocks.graph();
      this.wish = wish;
      this.completion =
          new NodeOptions(graph.drivers(), wish.temporary() ? wish.writable(false) : wish);
    }

    ToolImage run() throws BlockException, OptionException {
      Set<BlockNode> before = new LinkedHashSet<>(graph.nodes());
      try {
        Found found = openNodes();
        BlockNode node =
            wish.temporary() ? TemporaryOverlay.open(graph, found.node()) : found.node();
        Set<BlockNode> nodes = new LinkedHashSet<>(graph.nodes());
        nodes.removeAll(before);
        return hold(blocks, wish, node, nodes, found.probedRaw() && !wish.temporary());
      } catch (BlockException | OptionException | RuntimeException | Error e) {
        Set<BlockNode> since = new LinkedHashSet<>(graph.nodes());
        since.removeAll(before);
        closeNodes(graph, since);
        throw e;
      }
    }

    private Found openNodes() throws BlockException, OptionException {
      Map<String, String> options =
          wish.byOptions()
              ? KeyValues.parse("--image-opts", wish.name(), null)
              : FileName.describe(wish.name());
      if (wish.byOptions() || FileName.isJson(wish.name())) {
        options.putAll(wish.more());
        return openDescribed(options);
      }
      if (!wish.more().isEmpty()) {
        Map<String, String> described = new LinkedHashMap<>();
        options.forEach((key, value) -> described.put("file." + key, value));
        described.putAll(wish.more());
        return openDescribed(described);
      }
      if (wish.format().isPresent() && completion.isProtocol(wish.format().get())) {
        options.put("driver", wish.format().get());
        return new Found(openNode(options), false);
      }
      if (wish.format().isPresent() && !graph.drivers().containsKey(wish.format().get())) {
        throw new BlockException("Unknown driver '" + wish.format().get() + "'");
      }
      return openFormat(openNode(options), Map.of());
    }

    /** A user's own description; what it does not say of the image's file is in a name there. */
    private Found openDescribed(Map<String, String> given) throws BlockException, OptionException {
      Map<String, String> options = new LinkedHashMap<>(given);
      for (Map.Entry<String, String> entry : given.entrySet()) {
        String key = entry.getKey();
        if (key.endsWith(".filename")) {
          String prefix = key.substring(0, key.length() - "filename".length());
          if (!options.containsKey(prefix + "driver")) {
            options.remove(key);
            FileName.describe(entry.getValue())
                .forEach((word, value) -> options.put(prefix + word, value));
          }
        }
      }
      if (wish.format().isPresent()) {
        options.putIfAbsent("driver", wish.format().get());
      }
      if (options.containsKey("driver")) {
        return new Found(openNode(options), false);
      }
      Map<String, String> file = new LinkedHashMap<>();
      Map<String, String> rest = new LinkedHashMap<>();
      options.forEach(
          (key, value) -> {
            if (key.startsWith("file.")) {
              file.put(key.substring("file.".length()), value);
            } else {
              rest.put(key, value);
            }
          });
      if (file.isEmpty()) {
        throw new BlockException("Must specify either driver or file");
      }
      return openFormat(openNode(file), rest);
    }

    private Found openFormat(BlockNode file, Map<String, String> more)
        throws BlockException, OptionException {
      String format = wish.format().isPresent() ? wish.format().get() : probe(file);
      Map<String, String> options = new LinkedHashMap<>(more);
      options.put("driver", format);
      options.put("file", file.name());
      BlockNode node = openNode(options);
      return new Found(node, wish.format().isEmpty() && format.equals(FormatProbe.RAW));
    }

    private String probe(BlockNode file) throws BlockException {
      BlockBackend looker =
          new BlockBackend(
              file, new User(wish.name()), Set.of(Permission.CONSISTENT_READ), Permission.all());
      try (Arena arena = Arena.ofShared()) {
        MemorySegment head = arena.allocate(Math.min(ImageProbe.LENGTH, file.length()), 512);
        BackendLane lane = blocks.context().call(() -> looker.openLane(blocks.context()));
        int status = 0;
        if (head.byteSize() > 0) {
          ToolRequest read = new ToolRequest(1).set(Operation.READ, 0, head.byteSize()).with(head);
          status = read.send(lane).await();
        }
        lane.close();
        if (status < 0) {
          throw new BlockException(
              "Could not read image for determining its format: " + Errno.message(-status));
        }
        return FormatProbe.probe(graph.drivers().values(), head, wish.name());
      } finally {
        looker.close();
      }
    }

    private BlockNode openNode(Map<String, String> options) throws BlockException, OptionException {
      BlockNode node =
          graph.open(new Options("image '" + wish.name() + "'", completion.complete(options)));
      if (wish.copyOnRead() && options.containsKey("file")) {
        return graph.open(
            new Options(
                "image '" + wish.name() + "'",
                Map.of("driver", "copy-on-read", "file", node.name())));
      }
      return node;
    }
  }

  /** A tool as its image's user. */
  private record User(String name) implements BackendUser {
    @Override
    public String describe() {
      return "the image '" + name + "'";
    }
  }

  /** Users before what they use. */
  private static void closeNodes(BlockGraph graph, Set<BlockNode> nodes) throws BlockException {
    Set<BlockNode> left = new LinkedHashSet<>(nodes);
    while (!left.isEmpty()) {
      Optional<BlockNode> unused =
          left.stream().filter(node -> node.parents().isEmpty()).findFirst();
      BlockNode next = unused.orElseGet(() -> left.iterator().next());
      graph.close(next);
      left.remove(next);
    }
  }

  /** How it was opened. */
  public ImageWish wish() {
    return wish;
  }

  /** The name it was opened by. */
  public String name() {
    return wish.name();
  }

  /** Its topmost node. */
  public BlockNode node() {
    return backend.node();
  }

  /** The tool's hold on it. */
  public BlockBackend backend() {
    return backend;
  }

  /** The way for requests of one's own. */
  public BackendLane lane() {
    return lane;
  }

  /** Its length in bytes. */
  public long length() {
    return backend.node().length();
  }

  /** Whether nobody named its format, and it looks like none. */
  public boolean isProbedRaw() {
    return probedRaw;
  }

  /** Reads and waits; returns 0 or a negated errno. */
  public int read(long offset, MemorySegment target) {
    return new ToolRequest(1)
        .set(Operation.READ, offset, target.byteSize())
        .with(target)
        .send(lane)
        .await();
  }

  /** Writes and waits; returns 0 or a negated errno. */
  public int write(long offset, MemorySegment source) {
    int refusal = refusal(offset, source);
    return refusal < 0
        ? refusal
        : new ToolRequest(1)
            .set(Operation.WRITE, offset, source.byteSize())
            .with(source)
            .send(lane)
            .await();
  }

  /**
   * Whether a write would make an image that was taken for raw look like another format, so that
   * whoever looks next would be led to other files of the host: EPERM then, otherwise 0.
   */
  public int refusal(long offset, MemorySegment source) {
    if (!probedRaw || offset >= PROBED || source.byteSize() == 0) {
      return 0;
    }
    try (Arena arena = Arena.ofShared()) {
      MemorySegment head = arena.allocate(Math.min(ImageProbe.LENGTH, length()), 512);
      int status = read(0, head);
      if (status < 0) {
        return status;
      }
      long changed = Math.min(source.byteSize(), head.byteSize() - offset);
      if (changed > 0) {
        head.asSlice(offset, changed).copyFrom(source.asSlice(0, changed));
      }
      Collection<BlockDriver> drivers = blocks.graph().drivers().values();
      return FormatProbe.probe(drivers, head, name()).equals(FormatProbe.RAW) ? 0 : -Errno.EPERM;
    }
  }

  /** Makes what was written durable; returns 0 or a negated errno. */
  public int flush() {
    return new ToolRequest(1).set(Operation.FLUSH, 0, 0).send(lane).await();
  }

  /** As {@link BackendLane#blockStatus}. */
  public BlockStatus status(long offset, long length) {
    return lane.blockStatus(offset, length);
  }

  /**
   * Changes its length.
   *
   * @throws ToolException with the reason alone
   */
  public void resize(long length) throws ToolException {
    blocks.control(
        () -> {
          blocks.graph().resize(backend, length);
          return null;
        });
  }

  /** Closes it; idempotent. */
  @Override
  public void close() throws ToolException {
    if (closed) {
      return;
    }
    closed = true;
    blocks.control(
        () -> {
          lane.closeInContext();
          backend.close();
          closeNodes(blocks.graph(), nodes);
          return null;
        });
  }
}
