// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.luks;

import dev.spindle.block.crypto.LuksPassword;
import dev.spindle.block.crypto.NewLuks;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.List;

/** Makes LUKS disks of version 1, with one password. */
public final class LuksCreator implements ImageCreator {
  @Override
  public String driver() {
    return "luks";
  }

  @Override
  public List<CreateOption> toolOptions() {
    List<CreateOption> options = new ArrayList<>(List.of(CreateOption.size()));
    options.addAll(NewLuks.toolOptions(""));
    return options;
  }

  @Override
  public NewImage read(Options options) throws OptionException {
    long size = ImageCreator.takeSize(options);
    NewLuks wanted = NewLuks.take(options);
    LuksPassword secret = LuksPassword.take("", options);
    if (size > Long.MAX_VALUE - wanted.payloadOffset()) {
      throw new OptionException(options.owner() + ": parameter 'size' is too large");
    }
    return (file, objects) -> {
      byte[] password = secret.find(objects);
      file.resize(wanted.payloadOffset() + size);
      wanted.write(file, 0, password);
    };
  }
}
