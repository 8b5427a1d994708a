// SPDX-License-Identifier: Apache-2.0

/**
 * The {@code java} driver, and drivers found as services: nodes that hand their requests to a
 * plugin of {@link dev.spindle.block.plugin}.
 */
package dev.spindle.block.driver.javaplugin;
