// SPDX-License-Identifier: Apache-2.0

/** The graph of block nodes and the backends that stand on it. */
package dev.spindle.block.graph;
