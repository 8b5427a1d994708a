// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

/** A command cannot be obeyed: what its error reply says. */
public final class QmpException extends Exception {
  private static final long serialVersionUID = 1L;

  private final QmpErrorClass errorClass;

  /** Refuses with a sentence. */
  public QmpException(QmpErrorClass errorClass, String message) {
    super(message);
    this.errorClass = errorClass;
  }

  /** Refuses with a sentence, as {@link QmpErrorClass#GENERIC_ERROR}. */
  public QmpException(String message) {
    this(QmpErrorClass.GENERIC_ERROR, message);
  }

  /** Refuses, because there is no such device. */
  public static QmpException deviceNotFound(String name) {
    return new QmpException(QmpErrorClass.DEVICE_NOT_FOUND, "Device '" + name + "' not found");
  }

  /** What kind of error it is. */
  public QmpErrorClass errorClass() {
    return errorClass;
  }
}
