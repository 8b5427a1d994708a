// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.ContextCall;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.SharedMemory;
import dev.spindle.block.options.OptionException;
import dev.spindle.devices.serial.Uart16550;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.vmm.chardev.Chardev;
import dev.spindle.vmm.chardev.ChardevOption;
import dev.spindle.vmm.chardev.Chardevs;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A machine with everything it needs: main loop, iothreads, block nodes, devices and serial ports.
 * Methods may be called from any thread that may wait, apart from the machine's own.
 */
public final class VirtualMachine implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(VirtualMachine.class);

  /** Set once, by the first who closes. */
  private final AtomicBoolean closed = new AtomicBoolean();

  private final Closer closer = new Closer();
  private final Map<Chardev, Uart16550> serialPorts = new LinkedHashMap<>();
  private final BlockLayer blockLayer;
  private final MainLoop mainLoop;
  private final Machine machine;
  private final Peripherals peripherals;

  private VirtualMachine(VirtualMachineConfig config) throws IOException, OptionException {
    try {
      blockLayer =
          closer.add(
              new BlockLayer(
                  config.ioThreads(),
                  config.throttleGroups(),
                  config.objects(),
                  config.blockNodes()));
      mainLoop = blockLayer.mainLoop();
      blockLayer
          .objects()
          .addUser(
              new ObjectContainer.IoThreadUser() {
                @Override
                public Optional<String> use(IoThread thread) {
                  return queueOn(thread);
                }
              });
      machine = Machine.create(config.machine(), mainLoop);
      closer.add(() -> mainLoop.control("close-machine", this::closeMachine));
      if (config.machine().memoryLocked()) {
        registerMemory();
      }
      shareMemory();
      peripherals = closer.add(new Peripherals(machine, blockLayer));
      for (DeviceOption device : config.devices()) {
        plug(device);
      }
      for (int i = 0; i < config.serialPorts().size(); i++) {
        addSerialPort("serial" + i, config.serialPorts().get(i));
      }
    } catch (IOException | OptionException | RuntimeException e) {
      closer.close();
      throw e;
    }
  }

  /**
   * Puts a machine together; it is in state {@code prelaunch}. If anything is wrong, nothing
   * remains.
   *
   * @throws IOException with a sentence for the user
   * @throws OptionException with a sentence for the user
   */
  public static VirtualMachine create(VirtualMachineConfig config)
      throws IOException, OptionException {
    return new VirtualMachine(config);
  }

  /** Returns the machine, for its control work. */
  public Machine machine() {
    return machine;
  }

  /** Returns the loop that control work runs on. */
  public MainLoop mainLoop() {
    return mainLoop;
  }

  /** Returns what the disks stand on. */
  public BlockLayer blockLayer() {
    return blockLayer;
  }

  /** Returns the devices on PCI. */
  public Peripherals peripherals() {
    return peripherals;
  }

  /** Returns the block nodes. */
  public BlockGraph graph() {
    return blockLayer.graph();
  }

  /**
   * Finds a disk.
   *
   * @param id the device's id
   * @throws BlockException if there is none
   */
  public VirtioBlkDevice disk(String id) throws BlockException {
    return peripherals
        .disk(id)
        .orElseThrow(() -> new BlockException("Device '" + id + "' not found"));
  }

  /**
   * Finds an iothread.
   *
   * @throws BlockException if there is none
   */
  public IoThread ioThread(String id) throws BlockException {
    return blockLayer.ioThread(id);
  }

  /**
   * Runs control work, such as {@link Machine#vmStop}, and waits for it.
   *
   * @param what names it in dumps
   * @throws IllegalStateException if this has been closed
   */
  public <T, E extends Exception> T control(String what, ContextCall<T, E> work) throws E {
    requireOpen();
    return mainLoop.control(
        what,
        () -> {
          // Again, as it may have been closed while this work waited for its turn.
          requireOpen();
          return work.call();
        });
  }

  private void requireOpen() {
    if (closed.get()) {
      throw new IllegalStateException("the machine has been closed");
    }
  }

  /**
   * Moves a disk, its node and all that hangs together with it to another iothread, while the guest
   * uses it.
   *
   * @throws BlockException if the device or the iothread does not exist, or some part cannot move;
   *     nothing has moved then
   */
  public void moveDisk(String deviceId, String ioThreadId) throws BlockException {
    this.<Void, BlockException>control(
        "move-disk",
        () -> {
          disk(deviceId).moveTo(ioThread(ioThreadId).context());
          return null;
        });
  }

  /**
   * Starts the guest, once everybody is there whom its serial ports wait for. Does nothing if the
   * machine comes to its end before.
   *
   * @throws IOException with a sentence for the user
   */
  public void start() throws IOException {
    requireOpen();
    if (machine.ending().isDone()) {
      return;
    }
    for (Map.Entry<Chardev, Uart16550> serialPort : serialPorts.entrySet()) {
      serialPort.getKey().connect(serialPort.getValue());
    }
    awaitPeers();
    control(
        "start",
        () -> {
          if (!machine.ending().isDone()) {
            for (Chardev chardev : serialPorts.keySet()) {
              chardev.guestStarts();
            }
            machine.start();
          }
          return null;
        });
  }

  private void awaitPeers() throws IOException {
    CompletableFuture<?>[] peers =
        serialPorts.keySet().stream().map(Chardev::ready).toArray(CompletableFuture<?>[]::new);
    try {
      CompletableFuture.anyOf(CompletableFuture.allOf(peers), machine.ending()).join();
    } catch (CompletionException e) {
      throw new IOException(e.getCause().getMessage(), e);
    }
  }

  /** Stops the guest's vCPUs. */
  public void stop() {
    control(
        "stop",
        () -> {
          machine.vmStop(RunState.PAUSED);
          return null;
        });
  }

  /** Lets the guest's vCPUs go on. */
  public void resume() {
    control(
        "cont",
        () -> {
          machine.vmStart();
          return null;
        });
  }

  /** Resets the guest and waits until it runs again, or would if it were not stopped. */
  public void reset() {
    control("reset", machine::reset).join();
  }

  /** Brings the machine to its end soon; {@link #awaitEnd} returns then. Never waits. */
  public void quit() {
    try {
      mainLoop.start(
          "quit",
          () -> {
            machine.quit();
            return null;
          });
    } catch (RejectedExecutionException e) {
      LOG.debug("the machine has been closed before it was told to quit");
    }
  }

  /** Waits until the machine has come to its end, and returns why. */
  public Machine.Ending awaitEnd() {
    return machine.ending().join();
  }

  /**
   * Ends the guest, flushes and closes its disks, and gives everything back. Afterwards there is
   * only {@link #awaitEnd}, {@link #quit} and this method, which do nothing more.
   */
  @Override
  public void close() {
    if (closed.getAndSet(true)) {
      return;
    }
    CompletableFuture<Void> resetDone =
        mainLoop.control(
            "quit",
            () -> {
              machine.quit();
              return machine.resetDone();
            });
    // A reset still uses the devices; not in control work, for its last step is such work as well.
    resetDone.join();
    closer.close();
  }

  /** Once all iothreads are there; ends after the devices, and before the memory. */
  private void registerMemory() {
    MemoryRegistrations registrations =
        closer.add(new MemoryRegistrations(machine.memory().segment()));
    blockLayer.contexts().forEach(registrations::add);
    blockLayer
        .objects()
        .addUser(
            new ObjectContainer.IoThreadUser() {
              @Override
              public void added(IoThread thread) {
                registrations.add(thread.context());
              }

              @Override
              public void removed(IoThread thread) {
                registrations.remove(thread.context());
              }
            });
  }

  /** A queue whose driver has not come yet is nobody else's to tell of. */
  private Optional<String> queueOn(IoThread thread) {
    return peripherals.disks().stream()
        .filter(disk -> disk.placement().contexts().contains(thread.context()))
        .findFirst()
        .map(disk -> disk.describe() + " has queues there");
  }

  /** Lets nodes hand guest memory on, until the devices are gone. */
  private void shareMemory() {
    SharedMemory memory = new SharedMemory(machine.memory().segment(), machine.memory().file(), 0);
    control(
        "share-memory",
        () -> {
          graph().share(memory);
          return null;
        });
    // Past the check that nobody has closed the machine: that is what goes on then.
    closer.add(
        () ->
            mainLoop.control(
                "unshare-memory",
                () -> {
                  graph().unshare(memory);
                  return null;
                }));
  }

  private Void closeMachine() {
    machine.close();
    return null;
  }

  private void plug(DeviceOption option) throws IOException {
    mainLoop.<Void, IOException>control(
        "plug",
        () -> {
          peripherals.plug(option);
          return null;
        });
  }

  private void addSerialPort(String name, ChardevOption option) throws IOException {
    Optional<Chardev> opened = Chardevs.open(name, option, this::quit);
    if (opened.isPresent()) {
      Chardev chardev = closer.add(opened.get());
      serialPorts.put(chardev, control("add-serial", () -> machine.addSerialPort(chardev.sink())));
    }
  }
}
