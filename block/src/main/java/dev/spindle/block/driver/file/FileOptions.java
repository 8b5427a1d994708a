// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;

/**
 * What a user says of a {@code file} node, in QAPI's words.
 *
 * @param filename the image: a regular file or a block device
 * @param direct {@code cache.direct}: past the host's page cache
 * @param noFlush {@code cache.no-flush}: flushes do nothing; a host crash may lose everything
 * @param unmap {@code discard=unmap}: discards free the range; otherwise they do nothing
 * @param locking {@code locking}: whether other processes are told and heeded
 * @param readOnly {@code read-only}
 */
record FileOptions(
    Path filename,
    boolean direct,
    boolean noFlush,
    boolean unmap,
    boolean locking,
    boolean readOnly) {

  static FileOptions from(Options options) throws OptionException {
    Path filename = Path.of(options.require("filename"));
    boolean direct = options.bool("cache.direct", false);
    boolean noFlush = options.bool("cache.no-flush", false);
    String discard = options.choice("discard", "ignore", "ignore", "off", "unmap", "on");
    options.choice("aio", "io_uring", "io_uring");
    boolean locking = !options.choice("locking", "auto", "auto", "on", "off").equals("off");
    boolean readOnly = options.bool("read-only", false);
    boolean unmap = discard.equals("unmap") || discard.equals("on");
    return new FileOptions(filename, direct, noFlush, unmap, locking, readOnly);
  }
}
