// SPDX-License-Identifier: Apache-2.0

/** The {@code mirror} job: a copy of a node that is kept up to date, and may take its place. */
package dev.spindle.block.job.mirror;
