// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * {@code driver=virtio-blk-vhost-user}: a disk that another process serves over vhost-user, such as
 * {@code qemu-storage-daemon} or SPDK.
 */
public final class FrontEndDriver implements BlockDriver {
  static final String NAME = "virtio-blk-vhost-user";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Description read(Options options) throws OptionException {
    FrontEndOptions wanted = FrontEndOptions.from(options);
    return (graph, nodeName) -> FrontEndNode.open(nodeName, graph.mainContext(), wanted);
  }
}
