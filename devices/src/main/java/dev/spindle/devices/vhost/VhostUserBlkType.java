// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.export.ExportType;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code type=vhost-user-blk}. */
public final class VhostUserBlkType implements ExportType {
  /** For the service loader. */
  public VhostUserBlkType() {}

  @Override
  public String name() {
    return VhostUserBlkExport.TYPE;
  }

  @Override
  public Description read(Options options) throws OptionException {
    VhostUserBlkOptions read = VhostUserBlkOptions.take(options);
    return site -> VhostUserBlkExport.open(site, read);
  }
}
