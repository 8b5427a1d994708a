// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.json;

/** Text is not the JSON it should be; the message is a clause that says where and why. */
public final class JsonException extends Exception {
  private static final long serialVersionUID = 1L;

  JsonException(String message, Throwable cause) {
    super(message, cause);
  }
}
