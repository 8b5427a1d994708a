// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.GraphDump;
import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.linux.LinuxException;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The objects that users make, by id: QOM's {@code /objects}. They come with the machine or over
 * QMP, and go when nobody uses them. Control side, under the control lock.
 */
public final class ObjectContainer implements AutoCloseable {
  /** Who has an interest in iothreads beside the nodes and their users. */
  public interface IoThreadUser {
    /** There is another one; nothing uses it yet. */
    default void added(IoThread thread) {}

    /** What keeps this one from being deleted, as a clause, or nothing. */
    default Optional<String> use(IoThread thread) {
      return Optional.empty();
    }

    /** It is about to end; nobody uses it. */
    default void removed(IoThread thread) {}
  }

  private final Map<String, ObjectOption> objects = new LinkedHashMap<>();
  private final BlockGraph graph;

  /** Never changed, but exchanged by control work; any thread reads. */
  private volatile Map<String, IoThread> ioThreads = Map.of();

  private final List<IoThreadUser> users = new ArrayList<>();

  ObjectContainer(BlockGraph graph) {
    this.graph = graph;
  }

  /** Has somebody told of iothreads, and asked before one goes. */
  public void addUser(IoThreadUser user) {
    users.add(user);
  }

  /** All of them, in the order in which they were made. */
  public List<ObjectOption> all() {
    return List.copyOf(objects.values());
  }

  /** One of them, or nothing. */
  public Optional<ObjectOption> find(String id) {
    return Optional.ofNullable(objects.get(id));
  }

  /** The iothreads, in the order in which they were made. Any thread. */
  public List<IoThread> ioThreads() {
    return List.copyOf(ioThreads.values());
  }

  /**
   * Finds an iothread. Any thread.
   *
   * @throws BlockException if there is none
   */
  public IoThread ioThread(String id) throws BlockException {
    IoThread thread = ioThreads.get(id);
    if (thread == null) {
      throw new BlockException(
          "Cannot find iothread '" + id + "'" + NearNames.hint(id, ioThreads.keySet()));
    }
    return thread;
  }

  /**
   * Makes an object.
   *
   * @throws BlockException if its id is taken
   * @throws IOException if the host does not give what it needs
   */
  public void add(ObjectOption object) throws IOException {
    if (objects.containsKey(object.id())) {
      throw new BlockException(
          "attempt to add duplicate property '" + object.id() + "' to object (type 'container')");
    }
    switch (object) {
      case IoThreadOption option -> startIoThread(option);
      case ThrottleGroupOption(String id, var limits) -> graph.throttleGroups().add(id, limits);
      case ObjectOption.Other(UserObject other) -> graph.objects().add(other);
    }
    objects.put(object.id(), object);
  }

  private void startIoThread(IoThreadOption option) throws IOException {
    IoThread thread;
    try {
      thread = IoThread.start(option.id(), option.context());
    } catch (LinuxException e) {
      throw BlockLayer.noUring(" for iothread '" + option.id() + "'", e);
    }
    try {
      users.forEach(user -> user.added(thread));
    } catch (RuntimeException | Error e) {
      users.forEach(user -> user.removed(thread));
      thread.close();
      throw e;
    }
    Map<String, IoThread> more = new LinkedHashMap<>(ioThreads);
    more.put(option.id(), thread);
    ioThreads = Collections.unmodifiableMap(more);
  }

  /**
   * Deletes an object.
   *
   * @throws BlockException if there is none, or somebody uses it; the sentence names one
   */
  public void remove(String id) throws BlockException {
    ObjectOption object = objects.get(id);
    switch (object) {
      case null -> throw new BlockException("object '" + id + "' not found");
      case IoThreadOption _ -> endIoThread(ioThreads.get(id));
      case ThrottleGroupOption _ -> graph.throttleGroups().remove(id);
      // Whoever refers to it has read it when he was made.
      case ObjectOption.Other _ -> graph.objects().remove(id);
    }
    objects.remove(id);
  }

  private void endIoThread(IoThread thread) throws BlockException {
    Optional<String> use = use(thread);
    if (use.isPresent()) {
      throw new BlockException(
          "object '" + thread.id() + "' is in use, can not be deleted: " + use.get());
    }
    Map<String, IoThread> fewer = new LinkedHashMap<>(ioThreads);
    fewer.remove(thread.id());
    ioThreads = Collections.unmodifiableMap(fewer);
    users.forEach(user -> user.removed(thread));
    thread.close();
  }

  private Optional<String> use(IoThread thread) {
    for (IoThreadUser user : users) {
      Optional<String> use = user.use(thread);
      if (use.isPresent()) {
        return use;
      }
    }
    AioContext context = thread.context();
    for (BlockNode node : graph.nodes()) {
      if (node.context() == context) {
        return Optional.of("node '" + node.name() + "' is served there");
      }
    }
    return GraphDump.of(graph).users().stream()
        .filter(user -> user.contexts().contains(context.name()))
        .map(user -> user.name() + " sends requests from there")
        .findFirst();
  }

  /**
   * Changes an object.
   *
   * @param values what changes, under the names of QAPI; all else stays
   * @throws OptionException if one is unknown, has no such value, or cannot be changed
   */
  public void change(String id, Options values) throws OptionException, BlockException {
    ObjectOption changed =
        switch (objects.get(id)) {
          case IoThreadOption(_, ContextOptions now) -> {
            ContextOptions next = ObjectTypes.polling(values, now);
            values.finish();
            ioThreads.get(id).configure(next);
            yield new IoThreadOption(id, next);
          }
          case ThrottleGroupOption _ -> {
            ThrottleGroup group = graph.throttleGroups().require(id);
            ThrottleLimits next = group.limits().changedBy(values, "");
            values.finish();
            group.configure(next, System.nanoTime());
            yield new ThrottleGroupOption(id, next);
          }
          case ObjectOption.Other other -> {
            values.finish();
            yield other;
          }
        };
    objects.put(id, changed);
  }

  /** Ends the iothreads; nothing uses them any more. */
  @Override
  public void close() {
    ioThreads.values().forEach(IoThread::close);
    ioThreads = Map.of();
  }
}
