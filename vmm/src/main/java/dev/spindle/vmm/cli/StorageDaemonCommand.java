// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
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

  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);
  private final CountDownLatch quit = new CountDownLatch(1);
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile boolean closedWell;

  private StorageDaemonCommand() {
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
            .description("Write the process's number there, and remove the file at the end.")
            .build());
  }

  /** Makes the command's model. */
  static CommandSpec spec() {
    return new StorageDaemonCommand().spec;
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
    Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(this::quitAndWait));
    try {
      serve(options, inBackground);
      closedWell = true;
    } finally {
      closed.countDown();
    }
    return ExitCode.OK;
  }

  private void serve(StorageDaemonOptions options, boolean inBackground)
      throws IOException, OptionException {
    PidFile pidFile =
        options.pidFile().isPresent() ? PidFile.create(options.pidFile().get()) : null;
    try (pidFile;
        StorageDaemon daemon = new StorageDaemon(options)) {
      if (inBackground) {
        Daemonize.ready();
      }
      quit.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      // Now: when a signal has ended the process, nobody waits for what is said later.
      LOG.error("The storage daemon has ended badly", e);
      throw e;
    }
  }

  /**
   * Ends the daemon in good order when a signal ends the process, which is then no failure. A
   * daemon that is still being made is ended when it is there.
   */
  private void quitAndWait() {
    if (closed.getCount() == 0) {
      return;
    }
    quit.countDown();
    try {
      closed.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (closedWell) {
      Runtime.getRuntime().halt(ExitCode.OK);
    }
  }
}
