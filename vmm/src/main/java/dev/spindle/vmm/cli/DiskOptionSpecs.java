// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import java.util.List;
import picocli.CommandLine.Model.OptionSpec;

/** The options that describe disks, for every command that takes them. */
final class DiskOptionSpecs {
  private DiskOptionSpecs() {}

  static OptionSpec object() {
    return list("--object")
        .paramLabel("TYPE,id=ID[,...]")
        .description(
            "An object:"
                + " iothread[,poll-max-ns=N][,poll-grow=N][,poll-shrink=N][,aio-max-batch=N].")
        .build();
  }

  static OptionSpec blockdev() {
    return list("--blockdev")
        .paramLabel("driver=DRIVER,node-name=NAME[,...]")
        .description("A block node, as key=value pairs or as a JSON object.")
        .build();
  }

  static OptionSpec device() {
    return list("--device")
        .paramLabel("DRIVER[,...]")
        .description("A device: virtio-blk-pci,drive=NAME[,...] or virtio-rng-pci.")
        .build();
  }

  /** An option that may be given several times. */
  static OptionSpec.Builder list(String... names) {
    return OptionSpec.builder(names)
        .type(List.class)
        .auxiliaryTypes(String.class)
        .arity("1")
        .initialValue(List.of());
  }
}
