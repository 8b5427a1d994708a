// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import org.junit.jupiter.api.Tag;

/** {@link VcpuContract} on a real KVM. */
@Tag("kvm")
class VcpuKvmTest extends VcpuContract {}
