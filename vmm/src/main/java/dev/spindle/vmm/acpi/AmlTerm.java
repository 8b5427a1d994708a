// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

/**
 * One piece of ACPI Machine Language: an object, a statement or an operand (ACPI 6.5, section 20).
 *
 * <p>Terms are built by the factories of {@link Aml} and know how to write themselves; a term holds
 * no state and may be written any number of times.
 */
@FunctionalInterface
public interface AmlTerm {
  /** Appends this term's byte code to {@code out}. */
  void writeTo(ByteWriter out);

  /** Returns this term's byte code. */
  default byte[] encode() {
    ByteWriter out = new ByteWriter();
    writeTo(out);
    return out.toByteArray();
  }
}
