// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

/** Whether an error made a job stop: QAPI's BlockDeviceIoStatus. Resuming the job makes it OK. */
public enum JobIoStatus {
  OK,
  FAILED,
  NOSPACE
}
