// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.crypto.LuksPassword;
import dev.spindle.block.crypto.NewLuks;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.object.UserObjects;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;

/**
 * How a new image is to be encrypted: the {@code encrypt.…} options of QAPI's
 * BlockdevCreateOptionsQcow2.
 *
 * @param luks all but the password
 * @param password that is to unlock it
 */
record NewEncryption(NewLuks luks, LuksPassword password) {
  /**
   * Takes the options.
   *
   * @return empty if none is given
   * @throws OptionException if one is missing or has no such value
   */
  static Optional<NewEncryption> take(Options options) throws OptionException {
    Options own = options.nested(EncryptOption.NAME);
    if (own.isEmpty() && !own.isNoting()) {
      return Optional.empty();
    }
    if (own.choice("format", "", "luks", "aes").equals("aes")) {
      throw new OptionException(
          own.owner() + ": encryption with AES-CBC is not supported; use encrypt.format=luks");
    }
    NewLuks luks = NewLuks.take(own);
    LuksPassword password = LuksPassword.take(EncryptOption.NAME + ".", own);
    own.finish();
    return Optional.of(new NewEncryption(luks, password));
  }

  /** What the LUKS header takes, bytes. */
  long bytes() {
    return luks.payloadOffset();
  }

  /** Writes the LUKS header to a file, with a new key. */
  NewImage.KeyWriter writer(ImageFile file, UserObjects objects) throws BlockException {
    byte[] secret = password.find(objects);
    return offset -> {
      try {
        luks.write(file, offset, secret);
      } catch (ImageException e) {
        throw new Qcow2Exception(e.errno(), e.getMessage());
      }
    };
  }
}
