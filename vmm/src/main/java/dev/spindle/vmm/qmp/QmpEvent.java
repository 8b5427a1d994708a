// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

/**
 * The declaration of an event.
 *
 * @param name in capitals
 * @param text one or more sentences for the documentation
 * @param data the class of what it tells, a record
 */
public record QmpEvent<D extends Record>(String name, String text, Class<D> data) {}
