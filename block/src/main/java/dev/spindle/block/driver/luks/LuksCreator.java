// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.luks;

import dev.spindle.block.crypto.NewLuks;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.CreateOption.Kind;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.List;
import java.util.Optional;

/** Makes LUKS disks of version 1, with one password. */
public final class LuksCreator implements ImageCreator {
  @Override
  public String driver() {
    return "luks";
  }

  @Override
  public List<CreateOption> toolOptions() {
    return List.of(
        CreateOption.size(),
        CreateOption.of("key-secret", Kind.TEXT, "id of the secret that is the password"),
        CreateOption.of("cipher-alg", Kind.TEXT, "block cipher: aes-128, aes-256"),
        CreateOption.of("cipher-mode", Kind.TEXT, "its mode: xts, cbc"),
        CreateOption.of("ivgen-alg", Kind.TEXT, "vectors: plain, plain64, essiv"),
        CreateOption.of("ivgen-hash-alg", Kind.TEXT, "digest for essiv: sha256"),
        CreateOption.of("hash-alg", Kind.TEXT, "digest that derives keys: sha1 to sha512"),
        CreateOption.of("iter-time", Kind.NUMBER, "ms that trying a password is to take"));
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long size = ImageCreator.takeSize(options);
    NewLuks wanted = NewLuks.take(options);
    Optional<String> secret = options.string(LuksDriver.KEY_SECRET);
    if (size > Long.MAX_VALUE - wanted.payloadOffset()) {
      throw new OptionException(options.owner() + ": parameter 'size' is too large");
    }
    return (file, objects) -> {
      byte[] password = LuksDriver.password(objects, secret);
      file.resize(wanted.payloadOffset() + size);
      wanted.write(file, 0, password);
    };
  }
}
