// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.irq.IrqLine;
import dev.spindle.devices.irq.MsiRouter;
import dev.spindle.devices.irq.MsiVector;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.kvm.IrqRoute;
import dev.spindle.linux.kvm.Vm;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the machine's interrupts go: the owner of KVM's routing table.
 *
 * <p>GSIs 0 to 23 are the pins of the I/O APIC, those below 16 also of the 8259s, wired as in a PC;
 * the others carry one message-signalled interrupt each. What is set here outlives a reset, which
 * gives the machine a new {@link Vm}. Any thread may call.
 */
final class GsiRouting implements MsiRouter {
  private static final Logger LOG = LoggerFactory.getLogger(GsiRouting.class);
  private static final int IO_APIC_PINS = 24;
  private static final int PIC_PINS = 8;
  private static final int PIT_PIN = 2;

  private final int limit;

  /** Null before the first VM and after the last. Protected by this object's monitor. */
  private Vm vm;

  /** Protected by this object's monitor, the vectors' fields too. */
  private final Set<Vector> vectors = new LinkedHashSet<>();

  private final BitSet used = new BitSet();

  /**
   * Makes the table without any VM to use it.
   *
   * @param limit number of GSIs that KVM can route
   */
  GsiRouting(int limit) {
    this.limit = limit;
    used.set(0, IO_APIC_PINS);
  }

  /** From now on, {@code newVm} has these routes and no other VM needs them. */
  synchronized void attach(Vm newVm) throws LinuxException {
    vm = newVm;
    vm.setGsiRouting(routes());
    for (Vector vector : vectors) {
      if (vector.connected) {
        vm.addIrqfd(vector.irqfd, vector.gsi);
      }
    }
  }

  /** From now on there is no VM; devices may go on calling. */
  synchronized void detach() {
    vm = null;
  }

  /** Returns the wire to I/O APIC pin {@code gsi}. */
  IrqLine line(int gsi) {
    return level -> setLine(gsi, level);
  }

  private synchronized void setLine(int gsi, boolean level) {
    if (vm == null) {
      return;
    }
    try {
      vm.irqLine(gsi, level);
    } catch (LinuxException e) {
      LOG.error("interrupt {} is lost: {}", gsi, e.getMessage());
    }
  }

  @Override
  public synchronized MsiVector allocate(EventFd irqfd) {
    int gsi = used.nextClearBit(0);
    if (gsi >= limit) {
      throw new IllegalStateException("KVM can route no more than " + limit + " interrupts");
    }
    used.set(gsi);
    Vector vector = new Vector(irqfd, gsi);
    vectors.add(vector);
    return vector;
  }

  private List<IrqRoute> routes() {
    List<IrqRoute> routes = new ArrayList<>();
    for (int pin = 0; pin < 2 * PIC_PINS; pin++) {
      IrqRoute.Chip chip = pin < PIC_PINS ? IrqRoute.Chip.PIC_MASTER : IrqRoute.Chip.PIC_SLAVE;
      routes.add(new IrqRoute.ToChip(pin, chip, pin % PIC_PINS));
    }
    for (int pin = 0; pin < IO_APIC_PINS; pin++) {
      // The timer has been on pin 2 ever since the I/O APIC; the MADT says so to the guest.
      if (pin == 0) {
        routes.add(new IrqRoute.ToChip(0, IrqRoute.Chip.IOAPIC, PIT_PIN));
      } else if (pin != PIT_PIN) {
        routes.add(new IrqRoute.ToChip(pin, IrqRoute.Chip.IOAPIC, pin));
      }
    }
    for (Vector vector : vectors) {
      if (vector.programmed) {
        routes.add(new IrqRoute.ToMsi(vector.gsi, vector.address, vector.data));
      }
    }
    return routes;
  }

  private final class Vector implements MsiVector {
    private final EventFd irqfd;
    private final int gsi;
    private boolean programmed;
    private boolean connected;
    private long address;
    private int data;

    Vector(EventFd irqfd, int gsi) {
      this.irqfd = irqfd;
      this.gsi = gsi;
    }

    @Override
    public void program(long newAddress, int newData) {
      synchronized (GsiRouting.this) {
        if (programmed && address == newAddress && data == newData) {
          return;
        }
        programmed = true;
        address = newAddress;
        data = newData;
        if (vm == null) {
          return;
        }
        try {
          vm.setGsiRouting(routes());
        } catch (LinuxException e) {
          LOG.warn("KVM refuses an interrupt message of the guest: {}", e.getMessage());
          programmed = false;
        }
      }
    }

    @Override
    public void unmask() {
      synchronized (GsiRouting.this) {
        if (connected) {
          return;
        }
        connected = true;
        if (vm != null) {
          try {
            vm.addIrqfd(irqfd, gsi);
          } catch (LinuxException e) {
            LOG.error("a device's interrupts are lost: {}", e.getMessage());
            connected = false;
          }
        }
      }
    }

    @Override
    public void mask() {
      synchronized (GsiRouting.this) {
        if (connected) {
          connected = false;
          if (vm != null) {
            try {
              vm.removeIrqfd(irqfd, gsi);
            } catch (LinuxException e) {
              LOG.error("a device's interrupt cannot be masked: {}", e.getMessage());
            }
          }
        }
      }
    }

    @Override
    public boolean pending() {
      synchronized (GsiRouting.this) {
        if (connected) {
          return false;
        }
        // Nobody else reads a masked vector's eventfd, so what is read can be put back.
        long signals = irqfd.read();
        if (signals != 0) {
          irqfd.add(signals);
        }
        return signals != 0;
      }
    }

    @Override
    public void close() {
      synchronized (GsiRouting.this) {
        mask();
        if (vectors.remove(this)) {
          used.clear(gsi);
        }
      }
    }
  }
}
