// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import java.util.Optional;

/**
 * A backing file as an image names it.
 *
 * @param file a path, relative to the folder of the image unless it is absolute
 * @param format the driver's name, if it is recorded
 */
public record BackingName(String file, Optional<String> format) {}
