// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.json;

/** Text is not JSON; the message is a clause that says where and why. */
public final class JsonException extends Exception {
  private static final long serialVersionUID = 1L;

  JsonException(int position, String what) {
    super("at character " + (position + 1) + ": " + what);
  }
}
