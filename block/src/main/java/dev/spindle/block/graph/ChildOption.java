// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;

/**
 * A child as a user describes it: {@code file=NAME} for a node that is there, or {@code
 * file.driver=…} for one to be opened with its parent.
 */
public final class ChildOption {
  private final String role;
  private final Optional<String> reference;
  private final Options description;

  private ChildOption(String role, Optional<String> reference, Options description) {
    this.role = role;
    this.reference = reference;
    this.description = description;
  }

  /**
   * Takes a child that must be given.
   *
   * @throws OptionException if it is not, or in both ways
   */
  public static ChildOption take(String role, Options options) throws OptionException {
    Optional<String> reference = options.nodeName(role);
    Options description = options.nested(role);
    if (reference.isPresent()) {
      description.finish();
    } else if (description.isEmpty() && !options.isNoting()) {
      throw options.missing(role);
    }
    return new ChildOption(role, reference, description);
  }

  /**
   * A child that no user describes, but the node's own image.
   *
   * @param description as if it had been given below {@code role}
   */
  public static ChildOption described(String role, Options description) {
    return new ChildOption(role, Optional.empty(), description);
  }

  /** Whether it names a node that is there, rather than one to be opened. */
  public boolean isReference() {
    return reference.isPresent();
  }

  /**
   * Finds or opens the child. Control side.
   *
   * @param parent the name of the node that is to be its parent
   */
  public BlockNode open(BlockGraph graph, String parent) throws BlockException, OptionException {
    return reference.isPresent()
        ? graph.find(reference.get())
        : graph.openChild(parent, role, description);
  }
}
