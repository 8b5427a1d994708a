// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.machine;

import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.devices.pci.PciHostBridge;
import dev.spindle.devices.virtio.blk.VirtioBlkOptions;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the arguments of {@code --device}, which may refer to nodes and iothreads. */
public final class DeviceOptions {
  private static final String BLK = DeviceOption.Disk.DRIVER;
  private static final String RNG = DeviceOption.Rng.DRIVER;
  private static final int MOST_QUEUES = 1023;

  /** The only one there is, of a name that QEMU gives to such. */
  private static final String BUS = "pcie.0";

  private static final Pattern ADDRESS = Pattern.compile("(0x)?(?<slot>[0-9a-fA-F]{1,2})(\\.0)?");

  /** The devices there are, and what reads their options. */
  public static final Map<String, OptionList.Reader> KINDS = Collections.unmodifiableMap(kinds());

  private final int cpus;
  private final Collection<String> nodeNames;
  private final Collection<String> ioThreads;
  private final Set<String> descriptions;

  /**
   * Prepares to read.
   *
   * @param cpus the machine's vCPUs, each of which gets a queue of its own unless told otherwise
   * @param nodeNames the block nodes there will be
   * @param ioThreads the iothreads there will be
   * @param ids of devices there are already
   */
  public DeviceOptions(
      int cpus,
      Collection<String> nodeNames,
      Collection<String> ioThreads,
      Collection<String> ids) {
    this.descriptions = new HashSet<>(ids);
    this.cpus = cpus;
    this.nodeNames = nodeNames;
    this.ioThreads = ioThreads;
  }

  private static Map<String, OptionList.Reader> kinds() {
    Map<String, OptionList.Reader> kinds = new LinkedHashMap<>();
    // How many queues there are unless told depends on the machine.
    kinds.put(BLK, options -> DiskWords.take(options, 0));
    kinds.put(RNG, RngWords::take);
    return kinds;
  }

  /**
   * Reads one device's options.
   *
   * @throws OptionException with a sentence that names what is wrong
   */
  public DeviceOption parse(Options options) throws OptionException {
    String driver = options.require("driver");
    DeviceOption device =
        switch (driver) {
          case BLK -> disk(options);
          case RNG -> rng(options);
          default -> throw new OptionException("'" + driver + "' is not a valid device model name");
        };
    options.finish();
    return device;
  }

  /** What a user says of a disk, not yet compared with anything else. */
  private record DiskWords(
      Optional<String> id,
      OptionalInt slot,
      String drive,
      int queues,
      Optional<String> ioThread,
      Options mapping,
      boolean packed,
      VirtioBlkOptions blk) {
    static DiskWords take(Options options, int defaultQueues) throws OptionException {
      return new DiskWords(
          options.string("id"),
          takeSlot(options),
          options.require("drive"),
          (int) options.number("num-queues", defaultQueues, 1, MOST_QUEUES),
          options.string("iothread"),
          options.nested("iothread-vq-mapping"),
          options.bool("packed", false),
          VirtioBlkOptions.from(options));
    }
  }

  /** What a user says of an entropy source. */
  private record RngWords(Optional<String> id, OptionalInt slot, boolean packed) {
    static RngWords take(Options options) throws OptionException {
      return new RngWords(options.string("id"), takeSlot(options), options.bool("packed", false));
    }
  }

  /** As in QEMU: {@code addr=SLOT} or {@code addr=SLOT.FUNCTION}, in hexadecimal digits. */
  private static OptionalInt takeSlot(Options options) throws OptionException {
    String bus = options.string("bus").orElse(BUS);
    Optional<String> address = options.string("addr");
    if (options.isNoting()) {
      return OptionalInt.empty();
    }
    if (!bus.equals(BUS)) {
      throw new OptionException(
          options.owner() + ": there is no bus '" + bus + "': devices are on '" + BUS + "'");
    }
    if (address.isEmpty()) {
      return OptionalInt.empty();
    }
    Matcher parts = ADDRESS.matcher(address.get());
    int slot = parts.matches() ? Integer.parseInt(parts.group("slot"), 16) : 0;
    if (slot < 1 || slot >= PciHostBridge.SLOTS) {
      throw new OptionException(
          options.owner()
              + ": parameter 'addr' is a slot from 1 to 1f and function 0, not '"
              + address.get()
              + "'");
    }
    return OptionalInt.of(slot);
  }

  private DeviceOption disk(Options options) throws OptionException {
    DiskWords words = DiskWords.take(options, cpus);
    if (!nodeNames.contains(words.drive)) {
      throw new OptionException(
          options.owner()
              + ": there is no node '"
              + words.drive
              + "' for 'drive'"
              + NearNames.hint(words.drive, nodeNames));
    }
    QueueMapping placement = place(options.owner(), words.queues, words.ioThread, words.mapping);
    String id = words.id.orElseGet(() -> describe(BLK + ",drive=" + words.drive));
    return new DeviceOption.Disk(id, words.slot, words.drive, placement, words.packed, words.blk);
  }

  private DeviceOption rng(Options options) throws OptionException {
    RngWords words = RngWords.take(options);
    return new DeviceOption.Rng(words.id.orElseGet(() -> describe(RNG)), words.slot, words.packed);
  }

  /** What messages call a device that has no id; a comma or a blank is in no id. */
  private String describe(String device) {
    String description = device;
    for (int number = 2; !descriptions.add(description); number++) {
      description = device + " " + number;
    }
    return description;
  }

  private QueueMapping place(String owner, int queues, Optional<String> ioThread, Options mapping)
      throws OptionException {
    if (!mapping.isEmpty()) {
      if (ioThread.isPresent()) {
        throw new OptionException(
            owner + ": iothread and iothread-vq-mapping properties cannot be set at the same time");
      }
      return new QueueMappingOption(owner, queues, ioThreads).read(mapping);
    }
    if (ioThread.isPresent() && !ioThreads.contains(ioThread.get())) {
      throw new OptionException(
          owner
              + ": cannot find iothread '"
              + ioThread.get()
              + "'"
              + NearNames.hint(ioThread.get(), ioThreads));
    }
    return QueueMapping.all(queues, ioThread.orElse(QueueMapping.MAIN_LOOP));
  }
}
