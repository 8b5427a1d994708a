// SPDX-License-Identifier: Apache-2.0

/** ACPI tables. */
package dev.spindle.vmm.acpi;
