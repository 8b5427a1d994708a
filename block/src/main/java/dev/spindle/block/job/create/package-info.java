// SPDX-License-Identifier: Apache-2.0

/** The {@code create} job: makes an image. */
package dev.spindle.block.job.create;
