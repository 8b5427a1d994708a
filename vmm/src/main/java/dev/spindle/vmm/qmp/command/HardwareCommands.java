// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.listOf;
import static dev.spindle.vmm.qmp.QmpCommand.one;
import static dev.spindle.vmm.qmp.QmpCommand.query;

import dev.spindle.devices.pci.BarKind;
import dev.spindle.devices.pci.PciFunctionInfo;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.QapiName;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpCommand.Place;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * vCPUs, PCI devices, and the human monitor's commands (QAPI: machine.json, pci.json, misc.json).
 */
public final class HardwareCommands {
  /** A vCPU: QAPI's CpuInfoFast, as far as it is known. */
  public record CpuInfo(long cpuIndex, long threadId, String target) {}

  /** A bus: QAPI's PciInfo. */
  public record PciBus(long bus, List<PciFunction> devices) {}

  /** A device: QAPI's PciDeviceInfo. */
  public record PciFunction(
      long bus,
      long slot,
      long function,
      @QapiName("class_info") PciClass classInfo,
      PciId id,
      Optional<Long> irq,
      @QapiName("irq_pin") long irqPin,
      @QapiName("qdev_id") String qdevId,
      List<PciRegion> regions) {}

  /** QAPI's PciDeviceClass. */
  public record PciClass(@QapiName("class") long code) {}

  /** QAPI's PciDeviceId. */
  public record PciId(
      long device,
      long vendor,
      long subsystem,
      @QapiName("subsystem-vendor") long subsystemVendor) {}

  /** QAPI's PciMemoryRegion. */
  public record PciRegion(
      long bar,
      String type,
      long address,
      long size,
      Optional<Boolean> prefetch,
      @QapiName("mem_type_64") Optional<Boolean> is64) {}

  /** Arguments of {@code human-monitor-command}. */
  public record HumanCommand(String commandLine, Optional<Long> cpuIndex) {}

  private HardwareCommands() {}

  /** The declarations. */
  public static List<QmpCommand<VirtualMachine, ?, ?>> all() {
    return List.of(
        query(
            "query-cpus-fast",
            listOf(CpuInfo.class),
            "Lists the vCPUs with their threads.",
            HardwareCommands::cpus),
        query("query-pci", listOf(PciBus.class), "Lists what is on PCI.", HardwareCommands::pci),
        new QmpCommand<>(
            "human-monitor-command",
            "Answers as the human monitor does. Difference: it knows info block, info name and"
                + " info status alone.",
            HumanCommand.class,
            one(String.class),
            Place.CONTROL,
            (machine, given) -> HumanMonitor.answer(machine, given.commandLine())));
  }

  private static List<CpuInfo> cpus(VirtualMachine machine) {
    List<CpuInfo> infos = new ArrayList<>();
    for (int threadId : machine.machine().vcpuThreadIds()) {
      infos.add(new CpuInfo(infos.size(), threadId, "x86_64"));
    }
    return infos;
  }

  private static List<PciBus> pci(VirtualMachine machine) {
    return List.of(
        new PciBus(
            0,
            machine.machine().pci().functions().stream()
                .map(function -> function(machine, function))
                .toList()));
  }

  private static PciFunction function(VirtualMachine machine, PciFunctionInfo info) {
    return new PciFunction(
        0,
        info.slot(),
        0,
        new PciClass(info.classCode()),
        new PciId(info.deviceId(), info.vendorId(), info.subsystemId(), info.subsystemVendorId()),
        info.interruptPin() == 0 ? Optional.empty() : Optional.of((long) info.interruptLine()),
        info.interruptPin(),
        machine.peripherals().in(info.slot()).orElse(""),
        info.regions().stream().map(HardwareCommands::region).toList());
  }

  private static PciRegion region(PciFunctionInfo.Region region) {
    boolean memory = region.kind() != BarKind.IO;
    return new PciRegion(
        region.bar(),
        memory ? "memory" : "io",
        region.address(),
        region.size(),
        memory ? Optional.of(false) : Optional.empty(),
        memory ? Optional.of(region.kind() == BarKind.MEMORY64) : Optional.empty());
  }
}
