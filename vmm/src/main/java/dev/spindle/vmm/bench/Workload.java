// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

/**
 * Requests that are kept in flight.
 *
 * @param access which requests
 * @param blockBytes the length of each, a multiple of 512
 * @param depth how many at once
 */
public record Workload(Access access, int blockBytes, int depth) {
  static final int BLOCK_BYTES = 4096;

  /** Which requests, by fio's names. */
  public enum Access {
    RANDREAD(false, 100),
    RANDWRITE(false, 0),
    /** Seven reads in ten requests. */
    RANDRW(false, 70),
    READ(true, 100),
    WRITE(true, 0);

    private final boolean sequential;
    private final int readPercent;

    Access(boolean sequential, int readPercent) {
      this.sequential = sequential;
      this.readPercent = readPercent;
    }

    /** Whether one request begins where the one before ended, rather than anywhere. */
    public boolean isSequential() {
      return sequential;
    }

    /** How many requests of a hundred are reads. */
    public int readPercent() {
      return readPercent;
    }

    /** As fio spells it. */
    public String fioName() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  /** Random requests of 4 KiB, all reads or all writes. */
  static Workload random(boolean write, int depth) {
    return new Workload(write ? Access.RANDWRITE : Access.RANDREAD, BLOCK_BYTES, depth);
  }

  @Override
  public String toString() {
    return access.fioName() + " " + (blockBytes >> 10) + "k, depth " + depth;
  }
}
