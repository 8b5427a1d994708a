// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.util.Optional;

/** A text or null: QAPI's StrOrNull. */
public record StrOrNull(Optional<String> text) {}
