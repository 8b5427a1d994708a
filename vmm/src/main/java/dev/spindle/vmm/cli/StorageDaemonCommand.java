// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.options.OptionException;
import dev.spindle.linux.EndingSignals;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * {@code spindle storage-daemon}: serves block nodes until a signal ends it; the options of {@code
 * qemu-storage-daemon}.
 */
final class StorageDaemonCommand implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(StorageDaemonCommand.class);

  /** How long a signal waits for what it ends; service managers wait longer before they kill. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);
  private final Duration patience;

  private StorageDaemonCommand(Duration patience) {
    this.patience = patience;
    DiskOptionSpecs.addGraphTo(spec);
    spec.addOption(
        DiskOptionSpecs.list(StorageDaemonOptions.NBD_SERVER)
            .paramLabel("addr.type=unix|inet,addr.path|host|port=...[,...]")
            .description("Listen for the NBD clients of exports.")
            .build());
    spec.addOption(
        DiskOptionSpecs.list("--export")
            .paramLabel("type=TYPE,id=ID,node-name=NAME[,...]")
            .description("Serve a block node.")
            .build());
    spec.addOption(
        OptionSpec.builder(Daemonize.OPTION)
            .description("Go to the background once everything is being served.")
            .build());
    spec.addOption(OptionSpec.builder(Daemonize.SECOND).hidden(true).build());
    spec.addOption(
        OptionSpec.builder("--pidfile")
            .type(String.class)
            .paramLabel("FILE")
            .description(
                "Write the process's number there once everything is being served, and remove the"
                    + " file at the end.")
            .build());
    spec.addOption(
        DiskOptionSpecs.list(MonitorOptions.CHARDEV)
            .paramLabel("socket|stdio,id=ID[,path=PATH|host=HOST,port=PORT][,server=on][,wait=off]")
            .description("Where a monitor is found.")
            .build());
    spec.addOption(
        DiskOptionSpecs.list(MonitorOptions.MONITOR)
            .paramLabel("chardev=ID")
            .description("A monitor that speaks QMP.")
            .build());
  }

  /** Makes the command's model. */
  static CommandSpec spec() {
    return spec(PATIENCE);
  }

  /**
   * Makes the command's model.
   *
   * @param patience how long a signal waits for what it ends
   */
  static CommandSpec spec(Duration patience) {
    return new StorageDaemonCommand(patience).spec;
  }

  @Override
  public Integer call() throws IOException, OptionException {
    ParseResult parsed = spec.commandLine().getParseResult();
    if (OptionHelp.printed(spec.commandLine())) {
      return ExitCode.OK;
    }
    StorageDaemonOptions options = StorageDaemonOptions.from(parsed);
    if (parsed.hasMatchedOption(Daemonize.OPTION)) {
      return Daemonize.start();
    }
    boolean inBackground = parsed.hasMatchedOption(Daemonize.SECOND);
    if (inBackground) {
      Daemonize.leaveTerminal();
    }
    Ending ending = new Ending(patience, spec.commandLine().getErr(), Runtime.getRuntime()::halt);
    EndingSignals.handle(ending::signal);
    try {
      serve(options, inBackground, ending);
    } finally {
      ending.over();
    }
    return ExitCode.OK;
  }

  private static void serve(StorageDaemonOptions options, boolean inBackground, Ending ending)
      throws IOException, OptionException {
    try (PidFile pidFile =
            options.pidFile().isPresent() ? PidFile.at(options.pidFile().get()) : null;
        StorageDaemon daemon = new StorageDaemon(options, ending::step, ending::request)) {
      CompletableFuture.anyOf(daemon.ready(), ending.asked()).join();
      if (pidFile != null) {
        ending.last(() -> remove(pidFile));
        // Last, as QEMU does: who waits for it finds everything served.
        pidFile.write();
      }
      if (inBackground) {
        Daemonize.ready();
      }
      ending.asked().join();
    }
  }

  private static void remove(PidFile pidFile) {
    try {
      pidFile.close();
    } catch (IOException e) {
      LOG.warn("{} stays behind: {}", pidFile, e.getMessage());
    }
  }
}
