// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.probe.FileName;
import java.nio.file.Path;
import java.util.Optional;

/** How users name an image below another one. */
final class ChainNames {
  private ChainNames() {}

  /** A name of a backing file, as seen from where the overlay is. */
  static String resolve(String overlay, String backing) {
    Path folder = FileName.hasProtocol(overlay) ? null : Path.of(overlay).getParent();
    return folder == null || backing.startsWith("/") || FileName.hasProtocol(backing)
        ? backing
        : folder.resolve(backing).toString();
  }

  /** The image of that name below a chain's top, be it as seen from here or from the top. */
  static Optional<BlockNode> find(BackingChain chain, String name) {
    Optional<BlockNode> found = chain.find(name);
    if (found.isPresent()) {
      return found;
    }
    Optional<Path> top = BackingChain.file(chain.top());
    return top.isEmpty() ? found : chain.find(resolve(top.get().toString(), name));
  }
}
