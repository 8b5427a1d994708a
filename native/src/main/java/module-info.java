// SPDX-License-Identifier: Apache-2.0

/**
 * Linux for the rest of Spindle: system calls, io_uring and KVM through the FFM API.
 *
 * <p>The only module that calls native code; method handles, raw addresses and ioctl numbers do not
 * leave it.
 */
module dev.spindle.linux {
  exports dev.spindle.linux;
  exports dev.spindle.linux.kvm;
  exports dev.spindle.linux.uring;

  // For signals.
  requires jdk.unsupported;
}
