// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a user says of an NBD export, besides what he says of any.
 *
 * @param name by which clients ask for it; the node's name if there is none
 * @param description for people; may be empty
 * @param bitmaps names of the node's dirty bitmaps that clients may ask about
 * @param allocationDepth whether clients may ask in which layer data is
 */
record NbdExportOptions(
    Optional<String> name, String description, List<String> bitmaps, boolean allocationDepth) {
  NbdExportOptions {
    bitmaps = List.copyOf(bitmaps);
  }

  /**
   * Reads them.
   *
   * @throws OptionException if one has no such value, or the protocol has no room for it
   */
  static NbdExportOptions read(Options options) throws OptionException {
    Optional<String> name = options.string("name");
    String description = options.string("description").orElse("");
    checkLength(options, "name", name.orElse(""));
    checkLength(options, "description", description);
    return new NbdExportOptions(
        name, description, bitmaps(options), options.bool("allocation-depth", false));
  }

  private static List<String> bitmaps(Options options) throws OptionException {
    Options given = options.nested("bitmaps");
    List<String> names = new ArrayList<>();
    while (!given.isEmpty()) {
      names.add(given.require(Integer.toString(names.size())));
    }
    if (options.isNoting()) {
      given.string("N");
    }
    return names;
  }

  private static void checkLength(Options options, String option, String value)
      throws OptionException {
    int bytes = value.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > Handshake.LONGEST_STRING || value.indexOf(0) >= 0) {
      throw new OptionException(
          "%s: '%s' of an NBD export has at most %d bytes, none of them zero; this one has %d"
              .formatted(options.owner(), option, Handshake.LONGEST_STRING, bytes));
    }
  }
}
