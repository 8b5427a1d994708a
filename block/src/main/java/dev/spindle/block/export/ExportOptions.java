// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;

/**
 * What every export is described by, whatever its type (QAPI's BlockExportOptions).
 *
 * @param id unique among the exports
 * @param nodeName what it serves
 * @param writable whether clients may write
 * @param writeThrough whether each write is on stable storage before it is answered
 * @param ioThread where the node is to move
 * @param fixedIoThread whether the node stays there while the export exists; otherwise {@code
 *     ioThread} is a wish, and the export follows its node
 */
public record ExportOptions(
    String id,
    String nodeName,
    boolean writable,
    boolean writeThrough,
    Optional<String> ioThread,
    boolean fixedIoThread) {
  private static final String ID = "[A-Za-z][A-Za-z0-9._-]*";

  /**
   * Takes them out of what the user gave.
   *
   * @throws OptionException if one is missing or has no such value
   */
  public static ExportOptions take(Options options) throws OptionException {
    String id = options.require("id");
    if (!options.isNoting() && !id.matches(ID)) {
      throw new OptionException(
          options.owner()
              + ": Invalid block export id '"
              + id
              + "' (a letter, then letters, digits, '-', '.' or '_')");
    }
    return new ExportOptions(
        id,
        options.require("node-name"),
        options.bool("writable", false),
        options.bool("writethrough", false),
        options.string("iothread"),
        options.bool("fixed-iothread", false));
  }
}
