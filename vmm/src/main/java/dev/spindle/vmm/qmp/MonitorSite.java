// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.block.aio.MainLoop;

/**
 * What monitors have in common.
 *
 * @param mainLoop where commands run
 * @param version what greetings tell
 */
public record MonitorSite(
    MainLoop mainLoop, CommandTable commands, MonitorEvents events, VersionInfo version) {}
