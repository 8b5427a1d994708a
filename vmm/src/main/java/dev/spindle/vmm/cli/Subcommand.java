// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import java.util.function.Supplier;
import picocli.CommandLine.Model.CommandSpec;

/**
 * A command of {@code spindle}, known by name and description until it is invoked.
 *
 * @param name what the user types
 * @param description one line for {@code spindle --help}
 * @param spec makes the command's model; its user object is a {@link java.util.concurrent.Callable}
 *     that returns the exit status. A model built with {@code CommandSpec.wrapWithoutInspection}
 *     starts faster than one read from annotations
 */
record Subcommand(String name, String description, Supplier<CommandSpec> spec) {}
