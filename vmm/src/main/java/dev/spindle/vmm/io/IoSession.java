// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.block.graph.Breakpoints;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.ToolBlocks;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import dev.spindle.vmm.tool.ToolOutput;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/** What one call of {@code io} works with: the image, and what is on its way to it. */
final class IoSession {
  private static final String WARNING =
      """
      WARNING: Image format was not specified for '%s' and probing guessed raw.
               Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.
               Specify the 'raw' format explicitly to remove the restrictions.\
      """;

  private final ToolOutput output;
  private final ToolBlocks blocks;

  /** Null while none is open. */
  private ToolImage image;

  private boolean quit;

  /** Requests that nobody waits for, and who waits for all of them. */
  private int inFlight;

  private Thread waiter;

  /** Tags that have been named, and those whose requests are known to be suspended. */
  private final Set<String> tags = new LinkedHashSet<>();

  private final Set<String> suspended = new LinkedHashSet<>();

  IoSession(ToolOutput output, ToolBlocks blocks) {
    this.output = output;
    this.blocks = blocks;
  }

  ToolOutput output() {
    return output;
  }

  ToolBlocks blocks() {
    return blocks;
  }

  boolean hasImage() {
    return image != null;
  }

  ToolImage image() {
    return image;
  }

  void quit() {
    quit = true;
  }

  boolean hasQuit() {
    return quit;
  }

  /** Opens an image; there is none so far. */
  void open(ImageWish wish) throws ToolException {
    if (wish.forceShare() && wish.writable()) {
      throw new ToolException(
          "can't open device %s: force-share=on can only be used with read-only images"
              .formatted(wish.name()));
    }
    try {
      image = ToolImage.open(blocks, wish);
    } catch (ToolException e) {
      String name = wish.name().isEmpty() ? "" : " " + wish.name();
      throw new ToolException("can't open device" + name + ": " + e.getMessage(), e);
    }
    if (image.isProbedRaw() && wish.writable()) {
      output.errorLine(WARNING.formatted(wish.name()));
    }
  }

  /** Closes the image, once nothing is on its way to it. */
  void close() throws ToolException {
    if (image != null) {
      awaitAll();
      image.close();
      image = null;
      tags.clear();
      suspended.clear();
    }
  }

  /** A request is on its way that nobody waits for. */
  void sent() {
    inFlight++;
  }

  /** Such a request has ended. */
  void ended() {
    inFlight--;
    LockSupport.unpark(waiter);
  }

  /** Waits for all that is on its way. */
  void awaitAll() {
    waiter = Thread.currentThread();
    while (inFlight > 0) {
      LockSupport.park(this);
    }
    waiter = null;
  }

  /** A tag has been given to a breakpoint. */
  void tagged(String tag) {
    tags.add(tag);
  }

  void resumed(String tag) {
    suspended.remove(tag);
  }

  /** Tells of requests that are suspended, once for each. */
  void tellSuspended(Breakpoints breakpoints) {
    for (String tag : tags) {
      if (breakpoints.isSuspended(tag) && suspended.add(tag)) {
        output.println("blkdebug: Suspended request '" + tag + "'");
      }
    }
  }

  boolean hasTags() {
    return !tags.isEmpty();
  }
}
