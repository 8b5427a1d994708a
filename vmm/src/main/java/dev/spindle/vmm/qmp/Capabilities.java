// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.util.List;
import java.util.Optional;

/**
 * Arguments of {@code qmp_capabilities}.
 *
 * @param enable what the client wants of what the greeting offers
 */
public record Capabilities(Optional<List<Capability>> enable) {}
