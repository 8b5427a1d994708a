// SPDX-License-Identifier: Apache-2.0

/** The {@code null-co} and {@code null-aio} drivers: storage that is not there. */
package dev.spindle.block.driver.nullio;
