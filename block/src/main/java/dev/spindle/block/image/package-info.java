// SPDX-License-Identifier: Apache-2.0

/**
 * What image formats can do beside reading and writing: be recognised, described, checked, and have
 * space taken. Each is an interface of its own: a driver implements {@link
 * dev.spindle.block.image.ImageProbe}, a node the others, as far as its format has such a thing.
 * Tools ask with {@code instanceof}.
 */
package dev.spindle.block.image;
