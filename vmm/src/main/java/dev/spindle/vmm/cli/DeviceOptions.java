// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.devices.virtio.blk.VirtioBlkOptions;
import dev.spindle.vmm.machine.DeviceOption;
import dev.spindle.vmm.machine.QueueMapping;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** Reads the arguments of {@code --device}, which may refer to nodes and iothreads. */
final class DeviceOptions {
  private static final String BLK = "virtio-blk-pci";
  private static final String RNG = "virtio-rng-pci";
  private static final List<String> DRIVERS = List.of(BLK, RNG);
  private static final int MOST_QUEUES = 1023;

  private final int cpus;
  private final Collection<String> nodeNames;
  private final Collection<String> ioThreads;
  private int generated;

  /**
   * Prepares to read.
   *
   * @param cpus the machine's vCPUs, each of which gets a queue of its own unless told otherwise
   * @param nodeNames the block nodes there will be
   * @param ioThreads the iothreads there will be
   */
  DeviceOptions(int cpus, Collection<String> nodeNames, Collection<String> ioThreads) {
    this.cpus = cpus;
    this.nodeNames = nodeNames;
    this.ioThreads = ioThreads;
  }

  DeviceOption parse(Options options) throws OptionException {
    String driver = options.require("driver");
    String id = options.string("id").orElseGet(() -> "#device" + generated++);
    DeviceOption device =
        switch (driver) {
          case BLK -> disk(id, options);
          case RNG -> new DeviceOption.Rng(id, options.bool("packed", false));
          default ->
              throw new OptionException(
                  "--device: unknown driver '" + driver + "'" + NearNames.hint(driver, DRIVERS));
        };
    options.finish();
    return device;
  }

  private DeviceOption disk(String id, Options options) throws OptionException {
    String drive = options.require("drive");
    if (!nodeNames.contains(drive)) {
      throw new OptionException(
          options.owner()
              + ": there is no node '"
              + drive
              + "' for 'drive'"
              + NearNames.hint(drive, nodeNames));
    }
    int queues = (int) options.number("num-queues", cpus, 1, MOST_QUEUES);
    Optional<String> ioThread = options.string("iothread");
    Options mapping = options.nested("iothread-vq-mapping");
    boolean packed = options.bool("packed", false);
    VirtioBlkOptions blk = VirtioBlkOptions.from(options);
    QueueMapping placement = place(options.owner(), queues, ioThread, mapping);
    return new DeviceOption.Disk(id, drive, placement, packed, blk);
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
