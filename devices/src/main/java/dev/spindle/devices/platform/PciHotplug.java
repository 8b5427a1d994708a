// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.bus.BusDevice;
import dev.spindle.devices.pci.PciHostBridge;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * The registers by which PCI devices come and go while the guest runs. Byte code in the DSDT reads
 * and writes them when the guest is told by a general-purpose event; each is 32 bits wide, one bit
 * for each slot, and knows 32-bit accesses alone:
 *
 * <ul>
 *   <li>at 0, <i>up</i>: slots that a device has come to since the register was last read;
 *   <li>at 4, <i>down</i>: slots whose devices the host has asked for since then;
 *   <li>at 8, <i>eject</i>: writing a one takes the device out of its slot.
 * </ul>
 *
 * <p>Reading clears, so that each is told once: a guest that was told twice would eject twice, and
 * the second time perhaps what has come to the slot since. A guest may eject whatever it likes, as
 * it may by opening a latch.
 *
 * <p>Any thread.
 */
public final class PciHotplug implements BusDevice {
  private static final int UP = 0;
  private static final int DOWN = 4;
  private static final int EJECT = 8;
  private static final int REGISTER_BYTES = 4;

  /** Takes devices out of their slots. */
  @FunctionalInterface
  public interface Ejector {
    /**
     * Takes out what is in a slot, if there is anything. Any thread, a vCPU's too; does not wait.
     *
     * @return completed when that device has nothing in flight any more; exceptionally if that
     *     cannot be had
     */
    CompletableFuture<Void> eject(int slot);
  }

  private final GeneralPurposeEvents events;
  private final int event;
  private volatile Ejector ejector = slot -> CompletableFuture.completedFuture(null);

  // One bit for each slot, with this object's lock:
  private int up;
  private int down;

  /** Asked for, and not yet ejected. */
  private int wanted;

  /** Devices that have been ejected and may have something in flight. With this object's lock. */
  private final List<CompletableFuture<Void>> leaving = new ArrayList<>();

  /**
   * @param event the general-purpose event that tells the guest to look at the registers
   */
  public PciHotplug(GeneralPurposeEvents events, int event) {
    this.events = events;
    this.event = event;
  }

  /** Names who ejects. Once, before the guest runs. */
  public void ejectBy(Ejector newEjector) {
    ejector = newEjector;
  }

  /** Tells the guest that a device has come to a slot. */
  public synchronized void plugged(int slot) {
    up |= 1 << slot;
    events.raise(event);
  }

  /** The guest is about to start, and finds by itself what is in the slots. */
  public synchronized void guestStarts() {
    up = 0;
  }

  /**
   * Asks the guest to eject what is in a slot. One that has been asked and has taken the event, but
   * not ejected, is asked again: it may have lost the request, as one does that starts.
   *
   * @return whether it was asked, and not only before and without having looked since
   */
  public synchronized boolean requestEject(int slot) {
    if ((wanted & (1 << slot)) != 0 && events.isPending(event)) {
      return false;
    }
    wanted |= 1 << slot;
    down |= 1 << slot;
    events.raise(event);
    return true;
  }

  /**
   * Goes back to the state after power-on, in which what was to be ejected has been. Waits until
   * nothing ejected has anything in flight. Not from control work, which some devices need for
   * that.
   */
  public void reset() {
    int due;
    synchronized (this) {
      due = wanted;
    }
    eject(due);
    List<CompletableFuture<Void>> all;
    synchronized (this) {
      down = 0;
      all = List.copyOf(leaving);
      leaving.clear();
    }
    all.forEach(CompletableFuture::join);
  }

  @Override
  public long read(long offset, int size) {
    return size == REGISTER_BYTES ? take((int) offset) : Bus.allOnes(size);
  }

  private synchronized long take(int register) {
    int value = 0;
    if (register == UP) {
      value = up;
      up = 0;
    } else if (register == DOWN) {
      value = down;
      down = 0;
    }
    return value;
  }

  @Override
  public void write(long offset, int size, long value) {
    if (offset == EJECT && size == REGISTER_BYTES) {
      eject((int) value);
    }
  }

  private void eject(int slots) {
    for (int slot = 0; slot < PciHostBridge.SLOTS; slot++) {
      if ((slots & (1 << slot)) != 0) {
        ejectFrom(slot);
      }
    }
  }

  private void ejectFrom(int slot) {
    synchronized (this) {
      int others = ~(1 << slot);
      up &= others;
      down &= others;
      wanted &= others;
    }
    CompletableFuture<Void> done = ejector.eject(slot);
    if (!done.isDone()) {
      synchronized (this) {
        leaving.removeIf(CompletableFuture::isDone);
        leaving.add(done);
      }
    }
  }
}
