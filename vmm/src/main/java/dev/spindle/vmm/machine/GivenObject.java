// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;

/** Makes what an option of the command line describes, and names the option if that fails. */
public final class GivenObject {
  /** What is done under the control lock. */
  @FunctionalInterface
  public interface Opening {
    /** Opens it. */
    void run() throws BlockException, OptionException;
  }

  private GivenObject() {}

  /**
   * Opens it as control work.
   *
   * @param described what the user gave
   * @throws BlockException with a sentence for the user that begins with the option
   * @throws OptionException if the description is wrong; names the option likewise
   */
  public static void open(MainLoop mainLoop, String name, Options described, Opening opening)
      throws BlockException, OptionException {
    // One exception type at a time passes through control work.
    Optional<OptionException> wrong =
        mainLoop.<Optional<OptionException>, BlockException>control(
            name,
            () -> {
              try {
                opening.run();
                return Optional.empty();
              } catch (OptionException e) {
                return Optional.of(e);
              } catch (BlockException e) {
                throw e.getMessage().startsWith(described.owner())
                    ? e
                    : new BlockException(described.owner() + ": " + e.getMessage(), e);
              }
            });
    if (wrong.isPresent()) {
      throw wrong.get();
    }
  }
}
