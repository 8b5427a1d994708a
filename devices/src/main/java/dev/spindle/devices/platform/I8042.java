// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import dev.spindle.devices.bus.ByteDevice;

/**
 * An i8042 keyboard controller with nothing plugged in, for its reset line. It answers its own
 * commands at once, so that a driver which looks for it does not wait; both its ports fail their
 * interface test. It has no interrupts.
 */
public final class I8042 {
  // Commands, written to the command port.
  private static final int READ_CONFIG = 0x20;
  private static final int WRITE_CONFIG = 0x60;
  private static final int DISABLE_AUX = 0xA7;
  private static final int ENABLE_AUX = 0xA8;
  private static final int TEST_AUX = 0xA9;
  private static final int SELF_TEST = 0xAA;
  private static final int TEST_KEYBOARD = 0xAB;
  private static final int DISABLE_KEYBOARD = 0xAD;
  private static final int ENABLE_KEYBOARD = 0xAE;
  private static final int READ_INPUT_PORT = 0xC0;
  private static final int READ_OUTPUT_PORT = 0xD0;
  private static final int WRITE_OUTPUT_PORT = 0xD1;
  private static final int WRITE_KEYBOARD_OUTPUT = 0xD2;
  private static final int WRITE_AUX_OUTPUT = 0xD3;
  private static final int WRITE_AUX = 0xD4;
  private static final int PULSE_OUTPUT = 0xF0; // to 0xFF: pulses low the bits that are 0

  private static final int SELF_TEST_PASSED = 0x55;
  private static final int CLOCK_STUCK_LOW = 0x01;

  private static final int STATUS_OUTPUT_FULL = 0x01;
  private static final int STATUS_SYSTEM = 0x04; // has passed its self-test
  private static final int STATUS_COMMAND = 0x08; // the last write was a command
  private static final int STATUS_UNLOCKED = 0x10;
  private static final int STATUS_AUX = 0x20; // output is from the auxiliary port

  private static final int CONFIG_KEYBOARD_DISABLED = 0x10;
  private static final int CONFIG_AUX_DISABLED = 0x20;
  private static final int CONFIG_DEFAULT = CONFIG_KEYBOARD_DISABLED | CONFIG_AUX_DISABLED | 0x04;

  private static final int OUTPUT_NOT_RESET = 0x01; // the reset line, active low
  private static final int OUTPUT_A20 = 0x02;
  private static final int OUTPUT_DEFAULT = 0xCC | OUTPUT_A20 | OUTPUT_NOT_RESET;

  private static final int NO_COMMAND = -1;

  private final PowerControl power;

  // All with this object's lock:
  private int config;
  private int output; // the byte to read, or the one last read
  private int status;
  private int parameterOf; // the command whose parameter comes next

  public I8042(PowerControl power) {
    this.power = power;
    reset();
  }

  /** Goes back to the state after power-on. */
  public synchronized void reset() {
    config = CONFIG_DEFAULT;
    output = 0;
    status = STATUS_SYSTEM | STATUS_UNLOCKED;
    parameterOf = NO_COMMAND;
  }

  /** Port 0x60. */
  public ByteDevice dataPort() {
    return new ByteDevice() {
      @Override
      public int readByte(long offset) {
        return offset == 0 ? readData() : 0xFF;
      }

      @Override
      public void writeByte(long offset, int value) {
        if (offset == 0) {
          writeData(value);
        }
      }
    };
  }

  /** Port 0x64. */
  public ByteDevice commandPort() {
    return new ByteDevice() {
      @Override
      public int readByte(long offset) {
        return offset == 0 ? readStatus() : 0xFF;
      }

      @Override
      public void writeByte(long offset, int value) {
        if (offset == 0) {
          writeCommand(value);
        }
      }
    };
  }

  private synchronized int readStatus() {
    return status;
  }

  private synchronized int readData() {
    status &= ~(STATUS_OUTPUT_FULL | STATUS_AUX);
    return output;
  }

  private synchronized void writeCommand(int command) {
    status |= STATUS_COMMAND;
    parameterOf = NO_COMMAND;
    switch (command) {
      case READ_CONFIG -> answer(config, 0);
      case SELF_TEST -> answer(SELF_TEST_PASSED, 0);
      case TEST_KEYBOARD, TEST_AUX -> answer(CLOCK_STUCK_LOW, 0);
      case READ_INPUT_PORT -> answer(0, 0);
      case READ_OUTPUT_PORT -> answer(OUTPUT_DEFAULT, 0);
      case DISABLE_KEYBOARD -> config |= CONFIG_KEYBOARD_DISABLED;
      case ENABLE_KEYBOARD -> config &= ~CONFIG_KEYBOARD_DISABLED;
      case DISABLE_AUX -> config |= CONFIG_AUX_DISABLED;
      case ENABLE_AUX -> config &= ~CONFIG_AUX_DISABLED;
      case WRITE_CONFIG, WRITE_OUTPUT_PORT, WRITE_KEYBOARD_OUTPUT, WRITE_AUX_OUTPUT, WRITE_AUX ->
          parameterOf = command;
      default -> {
        if (command >= PULSE_OUTPUT && (command & OUTPUT_NOT_RESET) == 0) {
          power.requestReset();
        }
      }
    }
  }

  private synchronized void writeData(int value) {
    status &= ~STATUS_COMMAND;
    switch (parameterOf) {
      case WRITE_CONFIG -> config = value;
      case WRITE_KEYBOARD_OUTPUT -> answer(value, 0);
      case WRITE_AUX_OUTPUT -> answer(value, STATUS_AUX);
      case WRITE_OUTPUT_PORT -> {
        if ((value & OUTPUT_NOT_RESET) == 0) {
          power.requestReset();
        }
      }
      default -> {} // for a keyboard or mouse, and there is none
    }
    parameterOf = NO_COMMAND;
  }

  private void answer(int value, int source) {
    output = value;
    status = (status & ~STATUS_AUX) | STATUS_OUTPUT_FULL | source;
  }
}
