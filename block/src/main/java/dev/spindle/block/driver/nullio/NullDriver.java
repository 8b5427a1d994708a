// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nullio;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code driver=null-co} and {@code driver=null-aio}: a disk that does nothing, for measuring. */
abstract sealed class NullDriver implements BlockDriver permits NullCoDriver, NullAioDriver {
  @Override
  public final Description read(Options options) throws OptionException {
    NullOptions wanted = NullOptions.from(options, completesLater());
    return (graph, nodeName) -> new NullNode(nodeName, name(), graph.mainContext(), wanted);
  }

  /** Whether a request completes on the loop's next turn rather than within its submission. */
  abstract boolean completesLater();
}
