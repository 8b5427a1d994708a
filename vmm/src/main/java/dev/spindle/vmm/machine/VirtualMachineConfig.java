// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.vmm.chardev.ChardevOption;
import java.util.List;

/**
 * Everything a machine is put together from. Names refer to what is there: whoever makes this has
 * checked that.
 *
 * @param machine the machine itself
 * @param ioThreads its iothreads
 * @param throttleGroups its throttle groups
 * @param objects what nodes refer to by id: secrets, credentials
 * @param blockNodes its block nodes, each described as {@code --blockdev} does, in the order of
 *     opening
 * @param devices its PCI devices, in the order of their slots
 * @param serialPorts its serial ports, COM1 first; at most two
 */
public record VirtualMachineConfig(
    MachineConfig machine,
    List<IoThreadOption> ioThreads,
    List<ThrottleGroupOption> throttleGroups,
    List<UserObject> objects,
    List<Options> blockNodes,
    List<DeviceOption> devices,
    List<ChardevOption> serialPorts) {

  /** The most serial ports a machine may have. */
  public static final int MOST_SERIAL_PORTS = Chipset.MOST_SERIAL_PORTS;

  /** Keeps immutable copies. */
  public VirtualMachineConfig {
    ioThreads = List.copyOf(ioThreads);
    throttleGroups = List.copyOf(throttleGroups);
    objects = List.copyOf(objects);
    blockNodes = List.copyOf(blockNodes);
    devices = List.copyOf(devices);
    serialPorts = List.copyOf(serialPorts);
  }

  /**
   * An iothread.
   *
   * @param id unique among the machine's objects
   * @param context how its context polls and batches
   */
  public record IoThreadOption(String id, ContextOptions context) implements ObjectOption {
    /** As users write it. */
    public static final String TYPE = "iothread";

    @Override
    public String type() {
      return TYPE;
    }
  }

  /**
   * A throttle group.
   *
   * @param id unique among the machine's objects
   * @param limits what it lets pass
   */
  public record ThrottleGroupOption(String id, ThrottleLimits limits) implements ObjectOption {
    /** As users write it. */
    public static final String TYPE = "throttle-group";

    @Override
    public String type() {
      return TYPE;
    }
  }
}
