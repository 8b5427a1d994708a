// SPDX-License-Identifier: Apache-2.0

/** From the name of an image to the node that it means, and to its format where nobody names it. */
package dev.spindle.block.probe;
