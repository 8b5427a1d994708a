// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;

/** The options that describe disks, for every command that takes them. */
final class DiskOptionSpecs {
  private DiskOptionSpecs() {}

  /** Adds all of them, and what they take to the command's help. */
  static void addTo(CommandSpec command) {
    addGraphTo(command);
    command.addOption(device());
  }

  /** Adds those that describe the graph alone; otherwise as {@link #addTo}. */
  static void addGraphTo(CommandSpec command) {
    command.addOption(object());
    command.addOption(blockdev());
    // Made when somebody asks for it: it needs every driver.
    command
        .usageMessage()
        .sectionMap()
        .put(UsageMessageSpec.SECTION_KEY_FOOTER, help -> OptionHelp.all(command));
  }

  private static OptionSpec object() {
    return list("--object")
        .paramLabel("TYPE,id=ID[,...]")
        .description(
            "An object: iothread,id=ID[,...], throttle-group,id=ID[,...], secret,id=ID[,...] or"
                + " tls-creds-x509,id=ID,dir=DIR[,...].")
        .build();
  }

  private static OptionSpec blockdev() {
    return list("--blockdev")
        .paramLabel("driver=DRIVER,node-name=NAME[,...]")
        .description("A block node, as key=value pairs or as a JSON object.")
        .build();
  }

  private static OptionSpec device() {
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
