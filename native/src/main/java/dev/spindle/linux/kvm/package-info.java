// SPDX-License-Identifier: Apache-2.0

/** KVM's ioctls and structures as typed handles. */
package dev.spindle.linux.kvm;
