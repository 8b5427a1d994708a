// SPDX-License-Identifier: Apache-2.0

/** The {@code backup} job: a copy of a node as it was when the job was created. */
package dev.spindle.block.job.backup;
