// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.driver.copyonread.CopyOnReadNode;
import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BackingLayer;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.job.ErrorAction;
import dev.spindle.block.job.JobBackend;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.job.WriteAccess;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Copies what a node reads from its backing files into the node, which then does not stand on them
 * any more (QAPI's block-stream). A filter that copies what is read does the copying, whoever
 * reads: its range locks keep what is copied from overwriting what is written meanwhile.
 */
public final class StreamJob extends JobDriver {
  /** What is copied at once, bytes. */
  private static final int PIECE = 1 << 20;

  private final BlockGraph graph;
  private final BlockNode source;
  private final BlockNode image;
  private final StreamOptions options;

  /** From {@link #source} down to the last node whose data is copied. */
  private BackingChain chain;

  /** To the image, if it is one that is read only. */
  private final WriteAccess access;

  private CopyOnReadNode filter;
  private JobBackend through;
  private final List<JobBackend> layers = new ArrayList<>();

  /** The first error that was ignored; null if there was none. Written by the work. */
  private volatile BlockException ignored;

  // Control side.
  private Transaction end;
  private boolean shortened;

  /**
   * What is to be copied into what. Control side; {@link dev.spindle.block.job.Jobs#create} does
   * the rest.
   *
   * @param source the node, or a filter before it
   */
  public StreamJob(BlockGraph graph, BlockNode source, StreamOptions options) {
    this.graph = graph;
    this.source = source;
    this.image = BackingChain.image(source);
    this.options = options;
    this.access = new WriteAccess(graph);
  }

  @Override
  protected String type() {
    return "stream";
  }

  @Override
  protected void open() throws BlockException {
    findChain();
    for (BlockNode node : chain.nodes()) {
      claim(node);
    }
    String name = graph.newName(options.filterNodeName());
    access.take(image);
    try {
      BlockNode bottom = chain.images().getLast();
      filter = graph.add(new CopyOnReadNode(name, source, bottom, describe()));
      claim(filter);
      graph.insertFilter(filter, source);
      filter.children().forEach(this::freeze);
      through = hold(filter, EnumSet.of(Permission.CONSISTENT_READ), Permission.all());
      for (BlockNode node : chain.images()) {
        layers.add(hold(node, Permission.none(), shared(node)));
      }
    } catch (BlockException | RuntimeException | Error e) {
      abort();
      clean();
      throw e;
    }
  }

  /** Looks at what the user says. */
  void findChain() throws BlockException {
    options.check();
    chain = chain();
  }

  /** Nobody may change what is copied, but where it cannot be told. */
  private Set<Permission> shared(BlockNode node) {
    return node == image
        ? Permission.all()
        : EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED);
  }

  private BackingChain chain() throws BlockException {
    BackingChain all = BackingChain.of(source);
    if (options.bottom().isPresent()) {
      return toBottom(all, graph.find(options.bottom().get()));
    }
    Optional<BlockNode> base = base(all);
    if (base.isEmpty()) {
      return all.downTo(all.images().getLast()).orElseThrow();
    }
    if (all.downTo(image).orElseThrow().nodes().contains(base.get())) {
      throw new BlockException(
          "Node '%s' is not a backing image of '%s'".formatted(base.get().name(), source.name()));
    }
    List<BlockNode> above = all.downTo(base.get()).orElseThrow().images();
    above = above.stream().filter(node -> node != base.get()).toList();
    return all.downTo(above.getLast()).orElseThrow();
  }

  private BackingChain toBottom(BackingChain all, BlockNode bottom) throws BlockException {
    Optional<BackingChain> found = all.downTo(bottom);
    if (found.isEmpty()) {
      throw new BlockException(
          "Node '%s' is not in a chain starting from '%s'".formatted(bottom.name(), source.name()));
    }
    if (BackingChain.filtered(bottom).isPresent()) {
      throw new BlockException(
          "Node '%s' is a filter, use a non-filter node as 'bottom'".formatted(bottom.name()));
    }
    return found.get();
  }

  private Optional<BlockNode> base(BackingChain all) throws BlockException {
    if (options.baseNode().isPresent()) {
      BlockNode node = graph.find(options.baseNode().get());
      if (all.downTo(node).isEmpty()) {
        throw new BlockException(
            "Node '%s' is not a backing image of '%s'".formatted(node.name(), source.name()));
      }
      return Optional.of(node);
    }
    if (options.base().isPresent()) {
      String file = options.base().get();
      Optional<BlockNode> node = all.find(file);
      if (node.isEmpty()) {
        throw new BlockException("Can't find '%s' in the backing chain".formatted(file));
      }
      return node;
    }
    return Optional.empty();
  }

  @Override
  protected void run() throws BlockException {
    long size = image.length();
    remaining(size);
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(PIECE, 4096);
      for (long offset = 0; offset < size; ) {
        long run = part(offset, size - offset);
        int result = 0;
        if (run > 0) {
          run = Math.min(run, PIECE);
          result = through.read(offset, buffer.asSlice(0, run));
        }
        if (result < 0 && stopsAt(-result)) {
          continue;
        }
        progress(Math.abs(run));
        offset += Math.abs(run);
        limit(Math.max(run, 0));
      }
    }
    if (ignored != null) {
      throw ignored;
    }
  }

  /** How much from here on is to be copied; negative if it is not. */
  private long part(long offset, long length) {
    long own = layers.getFirst().allocated(offset, length);
    return own > 0
        ? -own
        : BackingLayer.allocatedIn(layers.subList(1, layers.size()), offset, -own);
  }

  /**
   * Deals with an error.
   *
   * @return whether to try again; otherwise the job goes on behind it, and fails in the end
   */
  private boolean stopsAt(int errno) throws BlockException {
    BlockException failure =
        new BlockException(
            "Streaming into node '%s' failed: %s".formatted(image.name(), Errno.message(errno)));
    ErrorAction action = sourceError(false, errno);
    if (action == ErrorAction.REPORT) {
      throw failure;
    }
    if (action == ErrorAction.STOP) {
      pausePoint();
      return true;
    }
    if (ignored == null) {
      ignored = failure;
    }
    return false;
  }

  @Override
  protected void prepare() throws BlockException {
    filter.unfreeze();
    ChainChange change = new ChainChange();
    change.replace(filter, source);
    Optional<BlockNode> backing = BackingChain.backing(chain.bottom()).map(BlockEdge::node);
    change.standOn(image, backing);
    change.name(image, name(backing));
    end = change.begin();
  }

  private Optional<BackingName> name(Optional<BlockNode> backing) throws BlockException {
    return backing.isEmpty()
        ? Optional.empty()
        : Optional.of(BackingNames.of(image, backing.get(), options.backingFile()));
  }

  @Override
  protected void commit() {
    end.commit();
    shortened = true;
  }

  @Override
  protected void abort() {
    try {
      if (end != null) {
        end.abort();
      }
    } finally {
      if (filter != null) {
        removeFilter();
      }
    }
  }

  private void removeFilter() {
    GraphChange change = new GraphChange();
    change.replace(filter, source);
    try {
      change.run();
    } catch (BlockException e) {
      throw new IllegalStateException("a node cannot be used as before it was streamed into", e);
    }
  }

  @Override
  protected void clean() {
    try {
      releaseNodes();
    } finally {
      closeFilter();
      access.giveBack();
    }
    if (shortened) {
      chain.nodes().stream().skip(1).forEach(graph::closeUnused);
    }
  }

  private void closeFilter() {
    try {
      if (filter != null) {
        graph.close(filter);
      }
    } catch (BlockException e) {
      throw new IllegalStateException("somebody uses the filter of a stream that is over", e);
    }
  }
}
