// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.crypto.LuksPassword;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Errno;
import java.util.Optional;

/**
 * The {@code encrypt.…} options of an image that is opened (QAPI's BlockdevQcow2Encryption).
 *
 * @param format what the image is said to be encrypted as; empty if that is not said
 * @param password nobody asks for it if the image is not encrypted
 */
record EncryptOption(Optional<String> format, LuksPassword password) {
  /** What the options are nested in. */
  static final String NAME = "encrypt";

  private static final String FORMAT = "format";

  static EncryptOption take(Options options) throws OptionException {
    Options own = options.nested(NAME);
    boolean said = own.peek(FORMAT).isPresent();
    String format = own.isNoting() || said ? own.choice(FORMAT, "luks", "aes", "luks") : "";
    LuksPassword password = LuksPassword.take(NAME + ".", own);
    own.finish();
    return new EncryptOption(said ? Optional.of(format) : Optional.empty(), password);
  }

  /**
   * Refuses an image that is encrypted otherwise than was said.
   *
   * @param found whether it is encrypted, with LUKS
   */
  void check(boolean found) throws Qcow2Exception {
    if (format.isEmpty() || (found && format.get().equals("luks"))) {
      return;
    }
    throw new Qcow2Exception(
        Errno.EINVAL,
        found
            ? "Header reported 'luks' encryption format but options specify '%s'"
                .formatted(format.get())
            : "No encryption in image header, but options specified format '%s'"
                .formatted(format.get()));
  }
}
