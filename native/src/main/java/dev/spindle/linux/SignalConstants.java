// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CConstants;

/** Constants of signals. */
@CConstants(headers = "signal.h")
final class SignalConstants {
  static final int SIG_BLOCK = 0;
  static final int SIG_UNBLOCK = 1;
  static final int SIG_SETMASK = 2;
  static final int SIGRTMIN = 34;
  static final int SIGRTMAX = 64;

  private SignalConstants() {}
}
