// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.options.OptionException;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.regex.Pattern;

/**
 * The block layer of a tool: a main loop and a graph, for one command that is straight-line code of
 * the loop's context. Its requests go and come without another thread.
 */
public final class ToolBlocks implements AutoCloseable {
  /** What a tool does. */
  @FunctionalInterface
  public interface Work<T> {
    /** Does it. */
    T run() throws ToolException;
  }

  /** What has to be done under the control lock. */
  @FunctionalInterface
  public interface Control<T> {
    /** Does it. */
    T run() throws IOException, OptionException;
  }

  /** What the graph says of backing files; a tool's users know no nodes. */
  private static final Pattern OF_NODE =
      Pattern.compile("Could not open backing file '[^']*' of node '[^']*': ");

  private final MainLoop mainLoop;
  private final BlockGraph graph;

  private ToolBlocks(MainLoop mainLoop) {
    this.mainLoop = mainLoop;
    this.graph = new BlockGraph(mainLoop);
  }

  /** Starts the loop. */
  public static ToolBlocks start() throws ToolException {
    try {
      return new ToolBlocks(MainLoop.start());
    } catch (LinuxException e) {
      throw new ToolException("this host does not let Spindle use io_uring: " + e.getMessage(), e);
    }
  }

  /** The nodes. */
  public BlockGraph graph() {
    return graph;
  }

  /** Where requests come from. */
  public AioContext context() {
    return mainLoop.context();
  }

  /** The loop. */
  public MainLoop mainLoop() {
    return mainLoop;
  }

  /** Runs a command on the loop's context, and waits for it. */
  public <T> T run(Work<T> work) throws ToolException {
    CompletableFuture<T> result = new CompletableFuture<>();
    mainLoop
        .context()
        .startVirtual(
            "tool",
            () -> {
              try {
                result.complete(work.run());
              } catch (Throwable e) {
                result.completeExceptionally(e);
              }
            });
    try {
      return result.join();
    } catch (CompletionException e) {
      switch (e.getCause()) {
        case ToolException cause -> throw cause;
        case RuntimeException cause -> throw cause;
        case Error cause -> throw cause;
        default -> throw e;
      }
    }
  }

  /** Does something under the control lock, and waits for it. */
  public <T> T control(Control<T> body) throws ToolException {
    try {
      return mainLoop.<T, IOException>control(
          "tool",
          () -> {
            try {
              return body.run();
            } catch (OptionException e) {
              throw new BlockException(e.getMessage(), e);
            }
          });
    } catch (IOException e) {
      throw new ToolException(sentence(e), e);
    }
  }

  /** A tool names an error by its words alone. */
  private static String sentence(IOException e) {
    String message = e.getMessage();
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof LinuxException system) {
        message = message.replace(system.reason(), Errno.message(system.errno()));
      }
    }
    return OF_NODE.matcher(message).replaceAll("Could not open backing file: ");
  }

  /** Closes what is still open, and ends the loop. Not from within {@link #run}. */
  @Override
  public void close() throws ToolException {
    try {
      control(
          () -> {
            graph.closeAll();
            return null;
          });
    } finally {
      mainLoop.close();
    }
  }
}
