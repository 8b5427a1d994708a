// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.export.BlockExports;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.job.Jobs;
import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.devices.virtio.blk.QueuePlacement;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.linux.LinuxException;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** What disks stand on: the main loop, the iothreads, the block nodes, and who else is served. */
public final class BlockLayer implements AutoCloseable {
  private final Closer closer = new Closer();
  private final MainLoop mainLoop;
  private final BlockGraph graph;
  private final ObjectContainer objects;
  private final Jobs jobs;
  private final BlockExports exports;
  private final Consumer<String> step;

  /** As the other one, with nobody to tell. */
  public BlockLayer(
      List<IoThreadOption> threads,
      List<ThrottleGroupOption> throttleGroups,
      List<UserObject> objects,
      List<Options> nodes)
      throws IOException, OptionException {
    this(threads, throttleGroups, objects, nodes, _ -> {});
  }

  /**
   * Starts the loops, makes the objects and opens the nodes. If anything is wrong, nothing remains.
   *
   * @param step is told what comes next that may take long, here and when all is closed: {@code
   *     opening node 'disk'}
   * @throws IOException with a sentence for the user
   * @throws OptionException with a sentence for the user
   */
  public BlockLayer(
      List<IoThreadOption> threads,
      List<ThrottleGroupOption> throttleGroups,
      List<UserObject> objects,
      List<Options> nodes,
      Consumer<String> step)
      throws IOException, OptionException {
    this.step = step;
    try {
      mainLoop = closer.add(startMainLoop());
      graph = new BlockGraph(mainLoop);
      this.objects = closer.add(new ObjectContainer(graph));
      closer.add(() -> mainLoop.control("close-nodes", this::closeNodes));
      jobs = new Jobs(mainLoop);
      closer.add(() -> mainLoop.control("cancel-jobs", this::cancelJobs));
      exports = new BlockExports(mainLoop, graph, id -> ioThread(id).context());
      closer.add(() -> exports.closeAll(step));
      addObjects(threads, throttleGroups, objects);
      openNodes(nodes);
    } catch (IOException | OptionException | RuntimeException e) {
      closer.close();
      throw e;
    }
  }

  /** The loop that control work runs on. */
  public MainLoop mainLoop() {
    return mainLoop;
  }

  /** The block nodes. */
  public BlockGraph graph() {
    return graph;
  }

  /** The jobs, which work on the nodes. */
  public Jobs jobs() {
    return jobs;
  }

  /** The objects that users make. */
  public ObjectContainer objects() {
    return objects;
  }

  /** What the nodes are served to other programs by. */
  public BlockExports exports() {
    return exports;
  }

  /** The iothreads, in the order given. Any thread. */
  public List<IoThread> ioThreads() {
    return objects.ioThreads();
  }

  /** Every context there is, the main loop's first. */
  public List<AioContext> contexts() {
    List<AioContext> contexts = new ArrayList<>();
    contexts.add(mainLoop.context());
    ioThreads().forEach(thread -> contexts.add(thread.context()));
    return contexts;
  }

  /**
   * Finds an iothread.
   *
   * @throws BlockException if there is none
   */
  public IoThread ioThread(String id) throws BlockException {
    return objects.ioThread(id);
  }

  /**
   * Makes a disk on one of the nodes. Control side; whoever called closes it.
   *
   * @throws BlockException with a sentence for the user
   */
  public VirtioBlkDevice makeDisk(DeviceOption.Disk option) throws BlockException {
    List<AioContext> contexts = new ArrayList<>();
    for (String name : option.queues().ioThreads()) {
      contexts.add(
          name.equals(QueueMapping.MAIN_LOOP) ? mainLoop.context() : ioThread(name).context());
    }
    BlockNode node = graph.find(option.drive());
    return new VirtioBlkDevice(
        option.id(), mainLoop, node, option.blk(), new QueuePlacement(contexts));
  }

  /**
   * A disk has left a throttle group, if it was in one: a group that was made for disks goes with
   * the last of them, and who made one himself keeps it. Control side.
   */
  public void leftThrottleGroup(Optional<ThrottleGroup> group) throws BlockException {
    if (group.isPresent() && group.get().isEmpty() && objects.find(group.get().name()).isEmpty()) {
      graph.throttleGroups().remove(group.get().name());
    }
  }

  private static MainLoop startMainLoop() throws IOException {
    try {
      return MainLoop.start();
    } catch (LinuxException e) {
      throw noUring("", e);
    }
  }

  static IOException noUring(String purpose, LinuxException cause) {
    return new IOException(
        "this host does not let Spindle use io_uring" + purpose + ": " + cause.getMessage(), cause);
  }

  private void addObjects(
      List<IoThreadOption> threads, List<ThrottleGroupOption> groups, List<UserObject> others)
      throws IOException {
    List<ObjectOption> all = new ArrayList<>(threads);
    all.addAll(groups);
    others.forEach(other -> all.add(new ObjectOption.Other(other)));
    mainLoop.<Void, IOException>control(
        "add-objects",
        () -> {
          for (ObjectOption option : all) {
            objects.add(option);
          }
          return null;
        });
  }

  private void openNodes(List<Options> descriptions) throws IOException, OptionException {
    for (Options description : descriptions) {
      step.accept("opening node '%s'".formatted(description.peek("node-name").orElse("")));
      GivenObject.open(mainLoop, "open-node", description, () -> graph.open(description));
    }
  }

  private Void cancelJobs() {
    jobs.cancelAll();
    return null;
  }

  private Void closeNodes() throws BlockException {
    graph.closeAll(
        left ->
            step.accept(
                left.stream()
                    .map(node -> "node '" + node.name() + "'")
                    .collect(Collectors.joining(", ", "closing ", ""))));
    return null;
  }

  /** Closes the nodes, which nobody uses any more, and ends the loops. */
  @Override
  public void close() {
    closer.close();
  }
}
