// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.options.OptionException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What a user says of an NBD export, besides its node.
 *
 * @param name by which clients ask for it
 * @param description for people; may be empty
 * @param writable whether clients may write
 * @param bitmaps names of the node's dirty bitmaps that clients may ask about
 * @param allocationDepth whether clients may ask in which layer data is
 */
public record NbdExportOptions(
    String name,
    String description,
    boolean writable,
    List<String> bitmaps,
    boolean allocationDepth) {
  public NbdExportOptions {
    bitmaps = List.copyOf(bitmaps);
  }

  /** Refuses what the protocol has no room for. */
  void check() throws OptionException {
    checkLength("name", name);
    checkLength("description", description);
  }

  private static void checkLength(String option, String value) throws OptionException {
    int bytes = value.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > Handshake.LONGEST_STRING || value.indexOf(0) >= 0) {
      throw new OptionException(
          "the %s of an NBD export has at most %d bytes, none of them zero; this one has %d"
              .formatted(option, Handshake.LONGEST_STRING, bytes));
    }
  }
}
