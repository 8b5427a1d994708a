// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;

import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleGroups;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.QapiName;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Limits of disks (QAPI: block-core.json). */
public final class ThrottleCommands {
  /** What a disk may do: QAPI's BlockIOThrottle. Bytes or operations a second; 0 is no limit. */
  public record Throttle(
      Optional<String> device,
      Optional<String> id,
      long bps,
      @QapiName("bps_rd") long bpsRead,
      @QapiName("bps_wr") long bpsWrite,
      long iops,
      @QapiName("iops_rd") long iopsRead,
      @QapiName("iops_wr") long iopsWrite,
      @QapiName("bps_max") Optional<Long> bpsMax,
      @QapiName("bps_rd_max") Optional<Long> bpsReadMax,
      @QapiName("bps_wr_max") Optional<Long> bpsWriteMax,
      @QapiName("iops_max") Optional<Long> iopsMax,
      @QapiName("iops_rd_max") Optional<Long> iopsReadMax,
      @QapiName("iops_wr_max") Optional<Long> iopsWriteMax,
      @QapiName("bps_max_length") Optional<Long> bpsMaxLength,
      @QapiName("bps_rd_max_length") Optional<Long> bpsReadMaxLength,
      @QapiName("bps_wr_max_length") Optional<Long> bpsWriteMaxLength,
      @QapiName("iops_max_length") Optional<Long> iopsMaxLength,
      @QapiName("iops_rd_max_length") Optional<Long> iopsReadMaxLength,
      @QapiName("iops_wr_max_length") Optional<Long> iopsWriteMaxLength,
      @QapiName("iops_size") Optional<Long> iopsSize,
      Optional<String> group) {
    private ThrottleLimits limits() throws OptionException {
      Map<String, String> values = new LinkedHashMap<>();
      put(values, "bps-total", bps, bpsMax, bpsMaxLength);
      put(values, "bps-read", bpsRead, bpsReadMax, bpsReadMaxLength);
      put(values, "bps-write", bpsWrite, bpsWriteMax, bpsWriteMaxLength);
      put(values, "iops-total", iops, iopsMax, iopsMaxLength);
      put(values, "iops-read", iopsRead, iopsReadMax, iopsReadMaxLength);
      put(values, "iops-write", iopsWrite, iopsWriteMax, iopsWriteMaxLength);
      iopsSize.ifPresent(size -> values.put("iops-size", size.toString()));
      return ThrottleLimits.parse(new Options(COMMAND, values), "");
    }

    private static void put(
        Map<String, String> values,
        String name,
        long average,
        Optional<Long> max,
        Optional<Long> maxLength) {
      values.put(name, Long.toString(average));
      max.ifPresent(value -> values.put(name + "-max", value.toString()));
      maxLength.ifPresent(value -> values.put(name + "-max-length", value.toString()));
    }
  }

  private static final String COMMAND = "block_set_io_throttle";

  private ThrottleCommands() {}

  /** The declarations. */
  public static List<QmpCommand<VirtualMachine, ?, ?>> all() {
    return List.of(
        action(
            COMMAND,
            Throttle.class,
            "Limits what a disk may do, or all disks of its group together; without any limit, ends"
                + " that.",
            ThrottleCommands::set));
  }

  private static void set(VirtualMachine machine, Throttle given)
      throws QmpException, OptionException, BlockException {
    if (given.device().isPresent() == given.id().isPresent()) {
      throw new QmpException("Need exactly one of 'device' and 'id'");
    }
    VirtioBlkDevice disk = DiskCommands.find(machine, given.id().or(given::device).orElseThrow());
    ThrottleLimits limits = given.limits();
    BlockBackend backend = disk.backend();
    ThrottleGroup before = backend.throttleGroup();
    if (!limits.limited()) {
      backend.setThrottle(null);
    } else {
      ThrottleGroups groups = machine.graph().throttleGroups();
      String name = given.group().orElse(before == null ? disk.id() : before.name());
      Optional<ThrottleGroup> known = groups.find(name);
      ThrottleGroup group = known.isPresent() ? known.get() : groups.add(name, limits);
      if (known.isPresent()) {
        group.configure(limits, System.nanoTime());
      }
      backend.setThrottle(group);
    }
    machine.blockLayer().leftThrottleGroup(Optional.ofNullable(before));
  }
}
