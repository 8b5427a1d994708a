// SPDX-License-Identifier: Apache-2.0

/**
 * What image formats share: metadata read with care, backing files, and a node that is plain but
 * right. A format that writes an {@link dev.spindle.block.format.Image} and a {@link
 * dev.spindle.block.format.FormatDriver} gets the rest: requests as straight-line code, clusters
 * allocated one at a time with the data around a write copied, status through the chain, reopening,
 * permissions, sections.
 */
package dev.spindle.block.format;
