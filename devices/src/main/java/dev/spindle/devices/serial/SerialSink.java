// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.serial;

/** Where a serial port's output goes. Nothing here blocks: the caller is a vCPU. */
public interface SerialSink {
  /**
   * Takes a byte if there is room for it.
   *
   * @return whether the byte was taken. If not, the action of {@link #onRoom} runs once when there
   *     is room again
   */
  boolean offer(byte value);

  /**
   * What to run when there is room after a refusal; on any thread, without locks held. Set once,
   * before the first {@link #offer}.
   */
  void onRoom(Runnable action);

  /** A sink that takes everything and keeps nothing. */
  static SerialSink discarding() {
    return new SerialSink() {
      @Override
      public boolean offer(byte value) {
        return true;
      }

      @Override
      public void onRoom(Runnable action) {}
    };
  }
}
