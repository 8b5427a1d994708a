// SPDX-License-Identifier: Apache-2.0

/**
 * The {@code qcow2} driver, after the published format specification (docs/interop/qcow2.rst of
 * QEMU). The image itself ({@link dev.spindle.block.driver.qcow2.Qcow2Image}) is straight-line code
 * over {@link dev.spindle.block.driver.qcow2.Storage}; the node and its lanes put it into the
 * graph.
 */
package dev.spindle.block.driver.qcow2;
