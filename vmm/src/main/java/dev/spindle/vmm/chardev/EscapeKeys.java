// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import java.util.function.Consumer;

/**
 * The keys that reach Spindle rather than the guest: those that follow Ctrl-A, as in QEMU. X ends
 * Spindle, H shows this list, Ctrl-A sends itself to the guest; others do nothing.
 */
final class EscapeKeys {
  private static final int CTRL_A = 1;
  private static final String HELP =
      "\r\nCtrl-A H    this help\r\nCtrl-A X    end Spindle\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n";

  private final Runnable quit;
  private final Consumer<String> show;
  private boolean escaped;

  /**
   * Sets what the keys do.
   *
   * @param quit ends Spindle
   * @param show displays a text, whose lines end with carriage return and line feed
   */
  EscapeKeys(Runnable quit, Consumer<String> show) {
    this.quit = quit;
    this.show = show;
  }

  /**
   * Acts on the keys for Spindle in the first {@code length} bytes of {@code bytes} and moves the
   * others together.
   *
   * @return how many are left for the guest
   */
  int filter(byte[] bytes, int length) {
    int kept = 0;
    for (int i = 0; i < length; i++) {
      byte key = bytes[i];
      if (!escaped) {
        escaped = key == CTRL_A;
        if (!escaped) {
          bytes[kept++] = key;
        }
        continue;
      }
      escaped = false;
      switch (key) {
        case CTRL_A -> bytes[kept++] = key;
        case 'x', 'X' -> quit.run();
        case 'h', 'H', '?' -> show.accept(HELP);
        default -> {}
      }
    }
    return kept;
  }
}
