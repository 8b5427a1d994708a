// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.irq.IrqLine;
import java.util.List;

/**
 * The interrupt pin of one slot, which shares its interrupt line with the pins of other slots: the
 * line is asserted while any of them is.
 */
final class PciPin {
  static final PciPin UNCONNECTED = new Line(IrqLine.UNCONNECTED).pin(0);

  /** One interrupt line and the slots that assert it. */
  static final class Line {
    private final IrqLine output;
    private int asserted; // one bit per slot, with the line's lock

    Line(IrqLine output) {
      this.output = output;
    }

    PciPin pin(int slot) {
      return new PciPin(this, 1 << slot);
    }

    private synchronized void set(int slotBit, boolean level) {
      int now = level ? (asserted | slotBit) : (asserted & ~slotBit);
      if ((now != 0) != (asserted != 0)) {
        output.set(now != 0);
      }
      asserted = now;
    }
  }

  private final Line line;
  private final int slotBit;

  private PciPin(Line line, int slotBit) {
    this.line = line;
    this.slotBit = slotBit;
  }

  /** INTA# of slot n leads to line n modulo 4, as PCI bridges wire it. */
  static PciPin of(List<Line> lines, int slot) {
    return lines.get(slot % lines.size()).pin(slot);
  }

  void set(boolean level) {
    line.set(slotBit, level);
  }
}
