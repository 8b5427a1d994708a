// SPDX-License-Identifier: Apache-2.0

/** PCI: host bridge, configuration space, base address registers, MSI-X. */
package dev.spindle.devices.pci;
