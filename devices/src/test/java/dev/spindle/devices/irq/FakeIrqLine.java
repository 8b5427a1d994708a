// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.irq;

/** An interrupt wire that remembers its level and counts its rising edges. */
public final class FakeIrqLine implements IrqLine {
  private boolean level;
  private int edges;

  @Override
  public synchronized void set(boolean level) {
    if (level && !this.level) {
      edges++;
    }
    this.level = level;
  }

  /** The level. */
  public synchronized boolean isAsserted() {
    return level;
  }

  /** How often the level has risen since last asked. */
  public synchronized int takeEdges() {
    int result = edges;
    edges = 0;
    return result;
  }
}
