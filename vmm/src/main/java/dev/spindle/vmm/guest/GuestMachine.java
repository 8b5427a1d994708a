// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.blk.VirtioBlkOptions;
import dev.spindle.vmm.chardev.ChardevOption;
import dev.spindle.vmm.machine.DeviceOption;
import dev.spindle.vmm.machine.MachineConfig;
import dev.spindle.vmm.machine.QueueMapping;
import dev.spindle.vmm.machine.VirtualMachineConfig;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Describes the machine around a guest of {@code guest-images}: two iothreads, disks on the first
 * of them, the kernel's console in a file, and the guest's reports on the second serial port. Two
 * vCPUs and 512 MiB unless told otherwise; a reset ends it.
 */
public final class GuestMachine {
  /** The iothreads; disks start on the first. */
  public static final List<String> IO_THREADS = List.of("io0", "io1");

  private final String name;
  private final Path kernel;
  private final Path initrd;
  private final List<Options> nodes = new ArrayList<>();
  private final List<DeviceOption> devices = new ArrayList<>();
  private String root = "";
  private int cpus = 2;
  private long memoryBytes = 512L << 20;
  private boolean rebootAllowed;

  /** A machine whose guest never leaves its initial RAM disk. */
  public GuestMachine(String name, Path kernel, Path initrd) {
    this.name = name;
    this.kernel = kernel;
    this.initrd = initrd;
  }

  /** A machine whose guest has its root disk, which it only reads, as {@code /dev/vda}. */
  public static GuestMachine withRootDisk(String name, GuestFiles files) throws OptionException {
    GuestMachine machine = new GuestMachine(name, files.kernel(), files.initrd());
    machine.addDisk("vd0", files.rootDisk(), "read-only=on", "", 1, false);
    machine.root = "root=/dev/vda ro ";
    return machine;
  }

  /** Sets the number of vCPUs. */
  public GuestMachine cpus(int number) {
    cpus = number;
    return this;
  }

  /** Sets the size of RAM. */
  public GuestMachine memoryBytes(long bytes) {
    memoryBytes = bytes;
    return this;
  }

  /** Lets the guest start anew after a reset. */
  public GuestMachine allowReboot() {
    rebootAllowed = true;
    return this;
  }

  /**
   * Adds a disk.
   *
   * @param id how the device is named
   * @param image its image, a raw file
   * @param node further options of its block node, {@link KeyValues} or nothing
   * @param properties of the device, likewise
   * @param queues how many queues it has
   * @param packed whether packed virtqueues are offered
   */
  public void addDisk(
      String id, Path image, String node, String properties, int queues, boolean packed)
      throws OptionException {
    Map<String, String> file = keyValues(node);
    file.put("driver", "file");
    file.put("filename", image.toString());
    addDisk(id, file, properties, queues, packed);
  }

  /**
   * Adds a disk on a node of any kind.
   *
   * @param id how the device is named
   * @param node what describes the node, {@link KeyValues} with a driver and without a name
   * @param properties of the device, {@link KeyValues} or nothing
   * @param queues how many queues it has
   */
  public void addDisk(String id, String node, String properties, int queues)
      throws OptionException {
    addDisk(id, keyValues(node), properties, queues, false);
  }

  private void addDisk(
      String id, Map<String, String> node, String properties, int queues, boolean packed)
      throws OptionException {
    String nodeName = id + "-node";
    node.put("node-name", nodeName);
    nodes.add(new Options(name, node));
    devices.add(
        new DeviceOption.Disk(
            id,
            OptionalInt.empty(),
            nodeName,
            QueueMapping.all(queues, IO_THREADS.getFirst()),
            packed,
            VirtioBlkOptions.from(new Options(name, keyValues(properties)))));
  }

  private Map<String, String> keyValues(String text) throws OptionException {
    return text.isEmpty() ? new LinkedHashMap<>() : KeyValues.parse(name, text, null);
  }

  /** Adds another device. */
  public void addDevice(DeviceOption device) {
    devices.add(device);
  }

  /**
   * Returns the whole description.
   *
   * @param parameters what the guest finds on its kernel's command line
   * @param console the file for the kernel's console
   * @param reports where the guest's reports go
   */
  public VirtualMachineConfig config(String parameters, Path console, GuestEvents reports) {
    MachineConfig machine =
        new MachineConfig(
            name,
            memoryBytes,
            GuestMemory.Pages.NORMAL,
            false,
            cpus,
            kernel,
            Optional.of(initrd),
            "console=ttyS0 mitigations=off " + root + parameters,
            rebootAllowed);
    return new VirtualMachineConfig(
        machine,
        IO_THREADS.stream().map(id -> new IoThreadOption(id, ContextOptions.IOTHREAD)).toList(),
        List.of(),
        List.of(),
        nodes,
        devices,
        List.of(new ChardevOption.ToFile(console), new ChardevOption.ToSink(reports)));
  }
}
