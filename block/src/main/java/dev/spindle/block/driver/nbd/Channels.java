// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ShortLock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A node's channels: one for each context that uses it, if the server lets a client have many
 * connections as if they were one; else one for all, on a context that uses it. A channel that
 * nobody uses is kept for who comes next, so that a move makes no new connection. Any thread.
 */
final class Channels {
  private final NbdNode node;
  private final boolean many;
  private final ShortLock lock = new ShortLock();

  /** Guarded by the lock, as what follows is. */
  private final List<Use> uses = new ArrayList<>();

  private volatile boolean closed;

  /** A channel and who uses it. */
  private static final class Use {
    private final Channel channel;

    /** Lanes by their context. */
    private final Map<AioContext, Integer> lanes = new HashMap<>();

    /** Whether it has a context, or is on its way to one. */
    private boolean placed;

    Use(Channel channel) {
      this.channel = channel;
    }
  }

  Channels(NbdNode node, Link first, boolean many) {
    this.node = node;
    this.many = many;
    uses.add(new Use(new Channel(node, this, first)));
  }

  /** The channel for a lane's requests. On the lane's context, the caller's. */
  Channel enter(AioContext context) {
    boolean[] arrives = new boolean[1];
    Use use =
        lock.get(
            () -> {
              Use chosen = choose(context);
              chosen.lanes.merge(context, 1, Integer::sum);
              arrives[0] = !chosen.placed;
              if (arrives[0]) {
                chosen.placed = true;
                chosen.channel.give(context);
              }
              return chosen;
            });
    if (arrives[0]) {
      use.channel.arrive();
    }
    return use.channel;
  }

  private Use choose(AioContext context) {
    if (!many) {
      return uses.getFirst();
    }
    for (Use use : uses) {
      if (use.lanes.containsKey(context)) {
        return use;
      }
    }
    for (Use use : uses) {
      if (!use.placed) {
        return use;
      }
    }
    Use added = new Use(new Channel(node, this, null));
    uses.add(added);
    return added;
  }

  private Use of(Channel channel) {
    for (Use use : uses) {
      if (use.channel == channel) {
        return use;
      }
    }
    throw new IllegalStateException("a channel of another node");
  }

  /** Ends {@link #enter}, on the same context; nothing of the lane is on its way. */
  void exit(Channel channel, AioContext context) {
    boolean leaves =
        lock.get(
            () -> {
              Use use = of(channel);
              boolean last = use.lanes.merge(context, -1, Integer::sum) == 0;
              if (last) {
                use.lanes.remove(context);
              }
              return last && channel.context() == context;
            });
    if (leaves) {
      channel.leave();
    }
  }

  /** A channel has left its context, the caller's. */
  void handOver(Channel channel) {
    boolean[] unwanted = new boolean[1];
    AioContext next =
        lock.get(
            () -> {
              Use use = of(channel);
              AioContext found = next(use);
              use.placed = found != null;
              channel.give(found);
              unwanted[0] = found == null && closed;
              return found;
            });
    if (next != null) {
      // There is a lane, so the context is there.
      next.execute(channel::arrive);
    } else if (unwanted[0]) {
      abandon(channel);
    }
  }

  /** Who comes back before it has left stays: requests may be on their way from there by now. */
  private static AioContext next(Use use) {
    AioContext now = use.channel.context();
    return use.lanes.containsKey(now) ? now : use.lanes.keySet().stream().findFirst().orElse(null);
  }

  boolean isClosed() {
    return closed;
  }

  /** Nobody has a lane any more; a channel that is about to leave its context is not waited for. */
  void close() {
    List<Channel> free =
        lock.get(
            () -> {
              closed = true;
              return uses.stream().filter(use -> !use.placed).map(use -> use.channel).toList();
            });
    free.forEach(this::abandon);
  }

  private void abandon(Channel channel) {
    Link link = channel.surrender();
    if (link != null) {
      discard(link);
    }
  }

  /** Ends a connection that nobody wants, politely. */
  void discard(Link link) {
    Farewell.say(node.main(), link);
  }
}
