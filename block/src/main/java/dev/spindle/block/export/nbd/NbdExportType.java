// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.export.ExportType;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code type=nbd}: nodes served to NBD clients by the NBD server there is. */
public final class NbdExportType implements ExportType {
  /** The word that users write. */
  public static final String NAME = "nbd";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Description read(Options options) throws OptionException {
    NbdExportOptions wanted = NbdExportOptions.read(options);
    return site -> {
      NbdServer server =
          site.exports()
              .server(NbdServer.class)
              .orElseThrow(
                  () ->
                      new BlockException(
                          NbdServer.NOT_RUNNING
                              + ": an export of type nbd needs --nbd-server or nbd-server-start"));
      return new NbdExport(site, wanted, server);
    };
  }
}
