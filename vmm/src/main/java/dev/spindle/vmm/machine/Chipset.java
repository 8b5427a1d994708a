// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.bus.AddressRange;
import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.irq.IrqLine;
import dev.spindle.devices.irq.SharedIrqLine;
import dev.spindle.devices.pci.PciConfigPorts;
import dev.spindle.devices.pci.PciEcam;
import dev.spindle.devices.pci.PciHostBridge;
import dev.spindle.devices.pci.PciWindows;
import dev.spindle.devices.platform.AcpiPower;
import dev.spindle.devices.platform.CmosRtc;
import dev.spindle.devices.platform.GeneralPurposeEvents;
import dev.spindle.devices.platform.I8042;
import dev.spindle.devices.platform.PciHotplug;
import dev.spindle.devices.platform.PlatformLayout;
import dev.spindle.devices.platform.PostCodePort;
import dev.spindle.devices.platform.PowerControl;
import dev.spindle.devices.platform.ResetRegister;
import dev.spindle.devices.platform.RtcTicker;
import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.Uart16550;
import dev.spindle.vmm.acpi.AcpiPlatform;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** The devices every machine has, on their buses, and what ACPI has to say about them. */
final class Chipset implements AutoCloseable {
  private static final List<AddressRange> SERIAL_PORTS =
      List.of(PlatformLayout.COM1, PlatformLayout.COM2, PlatformLayout.COM3, PlatformLayout.COM4);
  private static final int[] SERIAL_GSIS = {
    PlatformLayout.GSI_COM1,
    PlatformLayout.GSI_COM2,
    PlatformLayout.GSI_COM1,
    PlatformLayout.GSI_COM2
  };

  /** The most serial ports a machine may have. */
  static final int MOST_SERIAL_PORTS = 2;

  private final Bus ports = new Bus("port");
  private final Bus memory = new Bus("memory");
  private final IntFunction<IrqLine> lines;
  private final PciWindows pciWindows;
  private final PciHostBridge bridge;
  private final AcpiPower power;
  private final GeneralPurposeEvents events;
  private final PciHotplug hotplug;
  private final CmosRtc clock;
  private final RtcTicker ticker;
  private final I8042 keyboard;
  private final ResetRegister resetRegister;
  private final List<Uart16550> serialPorts = new ArrayList<>();

  /**
   * Puts the devices on their buses.
   *
   * @param ramEnd guest-physical address after the last byte of RAM
   * @param lines the wire to each GSI
   * @param control told what the guest wants done to the machine
   * @param guestTime the guest's time
   */
  Chipset(long ramEnd, IntFunction<IrqLine> lines, PowerControl control, VirtualClock guestTime) {
    this.lines = lines;
    this.pciWindows =
        new PciWindows(
            PlatformLayout.PCI_PORTS,
            PlatformLayout.PCI_MEMORY32,
            PlatformLayout.pciMemory64(ramEnd));
    this.bridge =
        new PciHostBridge(
            ports,
            memory,
            pciWindows,
            IntStream.range(0, PlatformLayout.PCI_INTERRUPT_LINES)
                .mapToObj(pin -> lines.apply(PlatformLayout.GSI_PCI + pin))
                .toList());
    SharedIrqLine sci = new SharedIrqLine(lines.apply(PlatformLayout.GSI_SCI));
    this.power = new AcpiPower(sci.addWire(), control, guestTime);
    this.events = new GeneralPurposeEvents(sci.addWire());
    this.hotplug = new PciHotplug(events, PlatformLayout.GPE_PCI_HOTPLUG);
    Clock hostClock = Clock.systemUTC();
    this.clock = new CmosRtc(hostClock, lines.apply(PlatformLayout.GSI_RTC));
    this.ticker = new RtcTicker(clock, hostClock);
    this.keyboard = new I8042(control);
    this.resetRegister = new ResetRegister(control);

    ports.add(PlatformLayout.I8042_DATA, keyboard.dataPort());
    ports.add(PlatformLayout.I8042_COMMAND, keyboard.commandPort());
    ports.add(PlatformLayout.RTC, clock);
    ports.add(PlatformLayout.POST_CODE, new PostCodePort());
    ports.add(PlatformLayout.PM1A_EVENT, power.eventBlock());
    ports.add(PlatformLayout.PM1A_CONTROL, power.controlBlock());
    ports.add(PlatformLayout.PM_TIMER, power.timer());
    ports.add(PlatformLayout.GPE0, events);
    ports.add(PlatformLayout.PCI_HOTPLUG, hotplug);
    ports.add(PlatformLayout.PCI_CONFIG, new PciConfigPorts(bridge, resetRegister));
    memory.add(PlatformLayout.PCI_ECAM, new PciEcam(bridge));
  }

  Bus ports() {
    return ports;
  }

  Bus memory() {
    return memory;
  }

  PciHostBridge bridge() {
    return bridge;
  }

  AcpiPower power() {
    return power;
  }

  PciHotplug hotplug() {
    return hotplug;
  }

  /**
   * Adds the next serial port, COM1 first.
   *
   * @throws IllegalStateException if the machine has {@link #MOST_SERIAL_PORTS} already
   */
  Uart16550 addSerialPort(SerialSink sink) {
    int index = serialPorts.size();
    if (index == MOST_SERIAL_PORTS) {
      throw new IllegalStateException("a machine has at most " + index + " serial ports");
    }
    Uart16550 port = new Uart16550(lines.apply(SERIAL_GSIS[index]), sink);
    ports.add(SERIAL_PORTS.get(index), port);
    serialPorts.add(port);
    return port;
  }

  /**
   * Puts every device into its state after power-on, PCI devices included, and waits until none has
   * anything in flight. Not from control work, which some devices need for that.
   */
  void reset() {
    bridge.reset();
    hotplug.reset();
    events.reset();
    power.reset();
    clock.reset();
    keyboard.reset();
    resetRegister.reset();
    serialPorts.forEach(Uart16550::reset);
  }

  /** Gives every PCI device its addresses, as firmware would before the guest starts. */
  void assignResources() {
    bridge.assignResources();
    hotplug.guestStarts();
  }

  /** Describes the chipset to ACPI. */
  AcpiPlatform describe(int cpus) {
    List<AcpiPlatform.IsaDevice> serial = new ArrayList<>();
    for (int i = 0; i < serialPorts.size(); i++) {
      serial.add(isaDevice(SERIAL_PORTS.get(i), SERIAL_GSIS[i]));
    }
    // Every device is on bus 0. Were more buses declared, Linux would look for another host bridge
    // on each of them: 16,000 port accesses, each an exit, while it boots.
    int buses = 1;
    return new AcpiPlatform(
        cpus,
        0,
        new AcpiPlatform.Power(
            (int) PlatformLayout.PM1A_EVENT.base(),
            (int) PlatformLayout.PM1A_CONTROL.base(),
            (int) PlatformLayout.PM_TIMER.base(),
            (int) PlatformLayout.GPE0.base(),
            PlatformLayout.GSI_SCI,
            PlatformLayout.RESET_PORT,
            PlatformLayout.RESET_VALUE,
            AcpiPower.SLEEP_TYPE_S5),
        new AcpiPlatform.Pci(
            PlatformLayout.PCI_ECAM.base(),
            buses,
            window(pciWindows.memory32()),
            window(pciWindows.memory64()),
            PlatformLayout.GSI_PCI),
        new AcpiPlatform.PciHotplug(
            PlatformLayout.GPE_PCI_HOTPLUG, (int) PlatformLayout.PCI_HOTPLUG.base()),
        serial,
        isaDevice(PlatformLayout.RTC, PlatformLayout.GSI_RTC));
  }

  private static AcpiPlatform.Window window(AddressRange range) {
    return new AcpiPlatform.Window(range.base(), range.length());
  }

  private static AcpiPlatform.IsaDevice isaDevice(AddressRange range, int irq) {
    return new AcpiPlatform.IsaDevice((int) range.base(), (int) range.length(), irq);
  }

  @Override
  public void close() {
    ticker.close();
  }
}
