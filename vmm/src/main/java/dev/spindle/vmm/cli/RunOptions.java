// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.options.Size;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.vmm.chardev.ChardevOption;
import dev.spindle.vmm.machine.DeviceOption;
import dev.spindle.vmm.machine.DeviceOptions;
import dev.spindle.vmm.machine.MachineConfig;
import dev.spindle.vmm.machine.VirtualMachineConfig;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;
import dev.spindle.vmm.qmp.MonitorOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import picocli.CommandLine.ParseResult;

/** The options of {@code spindle run}, checked as far as they can be before anything is made. */
final class RunOptions {
  private static final String DEFAULT_MEMORY = "128M";
  private static final long MEMORY_UNIT = 2L << 20;
  private static final long MOST_MEMORY = 1L << 40;

  private final ParseResult parsed;

  private RunOptions(ParseResult parsed) {
    this.parsed = parsed;
  }

  static RunOptions from(ParseResult parsed) {
    return new RunOptions(parsed);
  }

  /**
   * Returns what to make.
   *
   * @throws OptionException with a sentence that names what is wrong
   */
  VirtualMachineConfig config() throws OptionException {
    int cpus = cpus();
    MachineConfig machine = machine(cpus);
    DiskConfig disks = disks(cpus);
    return new VirtualMachineConfig(
        machine,
        disks.ioThreads(),
        disks.throttleGroups(),
        disks.objects(),
        disks.nodes(),
        disks.devices(),
        serialPorts());
  }

  /**
   * Where the machine is controlled from.
   *
   * @throws OptionException with a sentence that names what is wrong
   */
  List<MonitorOption> monitors() throws OptionException {
    return MonitorOptions.qmp(parsed.matchedOptionValue(MonitorOptions.QMP, List.of()));
  }

  /**
   * What there is to make besides the machine itself.
   *
   * @param nodes as {@code --blockdev} describes them
   */
  record DiskConfig(
      List<IoThreadOption> ioThreads,
      List<ThrottleGroupOption> throttleGroups,
      List<UserObject> objects,
      List<Options> nodes,
      List<DeviceOption> devices) {}

  /**
   * Returns the objects, nodes and devices.
   *
   * @param cpus number of vCPUs: a device has as many queues unless told otherwise
   * @throws OptionException with a sentence that names what is wrong
   */
  DiskConfig disks(int cpus) throws OptionException {
    ObjectOptions objects = ObjectOptions.parse(list("--object"));
    BlockdevOptions nodes = BlockdevOptions.parse(list("--blockdev"));
    List<String> threadNames = objects.ioThreads().stream().map(IoThreadOption::id).toList();
    DeviceOptions deviceOptions = new DeviceOptions(cpus, nodes.names(), threadNames, List.of());
    List<DeviceOption> devices = new ArrayList<>();
    for (String argument : list("--device")) {
      Options options = KeyValueOptions.parse("--device", argument, "driver");
      Optional<String> id = options.peek("id");
      checkDriver(options.peek("driver"));
      devices.add(deviceOptions.parse(options));
      if (id.isPresent()) {
        objects.claimId("--device", id.get());
      }
    }
    return new DiskConfig(
        objects.ioThreads(), objects.throttleGroups(), objects.others(), nodes.nodes(), devices);
  }

  private static void checkDriver(Optional<String> driver) throws OptionException {
    Set<String> drivers = DeviceOptions.KINDS.keySet();
    if (driver.isPresent() && !drivers.contains(driver.get())) {
      throw new OptionException(OptionHelp.unknown("--device", "driver", driver.get(), drivers));
    }
  }

  private MachineConfig machine(int cpus) throws OptionException {
    String given = text("--memory").orElse(DEFAULT_MEMORY);
    if (given.isEmpty()) {
      throw noSize(given);
    }
    Options memory = KeyValueOptions.parse("--memory", given, "size");
    long bytes = memoryBytes(memory.any("size").orElse(DEFAULT_MEMORY));
    boolean hugePages = memory.bool("hugepages", false);
    memory.finish();
    Options overcommit =
        KeyValueOptions.parse("--overcommit", text("--overcommit").orElse("mem-lock=off"), null);
    boolean memoryLocked = overcommit.bool("mem-lock", false);
    overcommit.finish();
    return new MachineConfig(
        text("--name").orElse("guest"),
        bytes,
        hugePages ? GuestMemory.Pages.HUGE_2M : GuestMemory.Pages.NORMAL,
        memoryLocked,
        cpus,
        file("--kernel").orElseThrow(),
        file("--initrd"),
        text("--append").orElse(""),
        !parsed.hasMatchedOption("--no-reboot"));
  }

  /** As in QEMU, a bare number counts MiB. */
  private static long memoryBytes(String size) throws OptionException {
    boolean bare = !size.isEmpty() && Character.isDigit(size.charAt(size.length() - 1));
    OptionalLong bytes = Size.parse(bare ? size + "M" : size);
    if (bytes.isEmpty()) {
      throw noSize(size);
    }
    long value = bytes.getAsLong();
    if (value < MachineConfig.SMALLEST_MEMORY || value > MOST_MEMORY) {
      throw new OptionException("--memory: '" + size + "' is not between 16M and 1T");
    }
    if (value % MEMORY_UNIT != 0) {
      throw new OptionException("--memory: '" + size + "' is no multiple of 2M");
    }
    return value;
  }

  private static OptionException noSize(String size) {
    return new OptionException("--memory: '" + size + "' is no size such as 512M or 1G");
  }

  private int cpus() throws OptionException {
    String count = text("--cpus").orElse("1");
    try {
      int cpus = Integer.parseInt(count);
      if (cpus >= 1 && cpus <= MachineConfig.MOST_CPUS) {
        return cpus;
      }
    } catch (NumberFormatException e) {
      // The sentence below says it.
    }
    throw new OptionException(
        "--cpus: '" + count + "' is no number from 1 to " + MachineConfig.MOST_CPUS);
  }

  private List<ChardevOption> serialPorts() throws OptionException {
    List<String> arguments = list("--serial");
    if (arguments.isEmpty()) {
      return List.of(new ChardevOption.Stdio());
    }
    if (arguments.size() > VirtualMachineConfig.MOST_SERIAL_PORTS) {
      throw new OptionException(
          "--serial: a machine has at most "
              + VirtualMachineConfig.MOST_SERIAL_PORTS
              + " serial ports");
    }
    List<ChardevOption> ports = new ArrayList<>();
    for (String argument : arguments) {
      ChardevOption port = SerialOption.parse(argument);
      if (port instanceof ChardevOption.Stdio && ports.contains(port)) {
        throw new OptionException("--serial: stdio is connected to one port already");
      }
      ports.add(port);
    }
    return ports;
  }

  private Optional<String> text(String option) {
    return Optional.ofNullable(parsed.matchedOptionValue(option, (String) null));
  }

  private Optional<Path> file(String option) throws OptionException {
    Optional<String> name = text(option);
    if (name.isPresent() && name.get().isEmpty()) {
      throw new OptionException(option + ": the name of the file is empty");
    }
    return name.map(Path::of);
  }

  private List<String> list(String option) {
    return parsed.matchedOptionValue(option, List.of());
  }
}
