// SPDX-License-Identifier: Apache-2.0

/** The machine: vCPUs, boot, ACPI, run state and the command line. */
module dev.spindle.vmm {
  requires ch.qos.logback.classic;
  requires ch.qos.logback.core;
  requires dev.spindle.devices;
  requires info.picocli;
  requires java.management;
  requires jdk.management;
  requires org.slf4j;
  requires tools.jackson.core;
  requires tools.jackson.databind;

  opens dev.spindle.vmm.cli to
      info.picocli;

  provides ch.qos.logback.classic.spi.Configurator with
      dev.spindle.vmm.cli.Logging;
}
