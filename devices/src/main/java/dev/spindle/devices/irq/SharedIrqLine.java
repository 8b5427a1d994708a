// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.irq;

/** An interrupt line that several wires drive: asserted while any of them is. Any thread. */
public final class SharedIrqLine {
  private final IrqLine output;
  private int asserted; // how many of the wires, with this object's lock

  /** Makes a line without a wire. */
  public SharedIrqLine(IrqLine output) {
    this.output = output;
  }

  /** Adds a wire, which is not asserted. */
  public IrqLine addWire() {
    return new Wire();
  }

  private final class Wire implements IrqLine {
    private boolean isAsserted; // with the line's lock

    @Override
    public void set(boolean level) {
      synchronized (SharedIrqLine.this) {
        if (level != isAsserted) {
          isAsserted = level;
          boolean before = asserted > 0;
          asserted += level ? 1 : -1;
          if (before != asserted > 0) {
            output.set(asserted > 0);
          }
        }
      }
    }
  }
}
