// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.machine.KvmException;
import dev.spindle.vmm.machine.KvmPlace;
import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.machine.VirtualMachineConfig;
import dev.spindle.vmm.qmp.MonitorOption;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** {@code spindle run}: runs one virtual machine until it ends. */
final class RunCommand implements Callable<Integer> {
  /** How long a signal waits for a machine that is being made; opening a pipe may take for ever. */
  private static final long MAKING_SECONDS = 5;

  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);

  private RunCommand() {
    spec.addOption(
        value("--kernel")
            .paramLabel("FILE")
            .description(
                "Kernel to boot: a bzImage, or an ELF file with a PVH entry. Must be given.")
            .build());
    spec.addOption(value("--initrd").paramLabel("FILE").description("Initial RAM disk.").build());
    spec.addOption(
        value("--append").paramLabel("TEXT").description("Kernel command line.").build());
    spec.addOption(
        value("--memory", "-m")
            .paramLabel("[size=]SIZE[,hugepages=on|off]")
            .description("RAM, in MiB or with a suffix; 128M unless given.")
            .build());
    spec.addOption(
        value("--overcommit")
            .paramLabel("mem-lock=on|off")
            .description(
                "on: take all RAM from the host at once, lock it, and register it with io_uring;"
                    + " off unless given.")
            .build());
    spec.addOption(
        value("--cpus", "-smp")
            .paramLabel("N")
            .description("Number of vCPUs, 1 to 16; 1 unless given.")
            .build());
    spec.addOption(
        value("--name").paramLabel("NAME").description("What messages call it.").build());
    DiskOptionSpecs.addTo(spec);
    spec.addOption(
        DiskOptionSpecs.list("--serial")
            .paramLabel("DEV")
            .description(
                "A serial port, COM1 first: stdio, file:PATH, unix:PATH[,server=on|off]"
                    + "[,wait=on|off], null or none; stdio unless given.")
            .build());
    spec.addOption(
        DiskOptionSpecs.list(MonitorOptions.QMP)
            .paramLabel("unix:PATH|tcp:HOST:PORT|stdio[,server=on][,wait=off]")
            .description("A monitor that speaks QMP.")
            .build());
    spec.addOption(
        OptionSpec.builder("--no-reboot").description("End when the guest resets itself.").build());
  }

  /** Makes the command's model. */
  static CommandSpec spec() {
    return new RunCommand().spec;
  }

  private static OptionSpec.Builder value(String... names) {
    return OptionSpec.builder(names).type(String.class);
  }

  @Override
  public Integer call() throws IOException, OptionException {
    ParseResult parsed = spec.commandLine().getParseResult();
    if (OptionHelp.printed(spec.commandLine())) {
      return ExitCode.OK;
    }
    // Not left to the parser, which would complain of it before it does of what is there and wrong.
    if (!parsed.hasMatchedOption("--kernel")) {
      throw new ParameterException(spec.commandLine(), "option '--kernel' is missing");
    }
    RunOptions options = RunOptions.from(parsed);
    VirtualMachineConfig config = options.config();
    List<MonitorOption> monitors = options.monitors();
    // The probe runs guests of its own, which takes a while: beside everything else that does.
    FutureTask<KvmPlace.Choice> place = new FutureTask<>(KvmPlace::choose);
    Thread.ofPlatform().daemon().name("kvm-probe").start(place);
    return run(config, monitors, place);
  }

  private static void requireKvm(Future<KvmPlace.Choice> place) throws IOException {
    try {
      KvmPlace.Choice choice = place.get();
      if (choice.place() != KvmPlace.HOST) {
        throw new IOException(
            choice.reason()
                + "; README.md shows how to run a guest in the KVM host, guest-images/kvm-host");
      }
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw cause;
      }
      throw new IllegalStateException(e);
    } catch (InterruptedException e) {
      throw new InterruptedIOException("interrupted");
    }
  }

  /**
   * Runs a machine until it ends.
   *
   * @param monitors where it is controlled from
   * @param place where guests run, or will be known to
   * @return the exit status
   */
  static int run(
      VirtualMachineConfig config, List<MonitorOption> monitors, Future<KvmPlace.Choice> place)
      throws IOException, OptionException {
    CompletableFuture<VirtualMachine> made = new CompletableFuture<>();
    CountDownLatch closed = new CountDownLatch(1);
    // From the beginning: a machine half made has things to give back as well.
    Thread onSignal = Thread.ofPlatform().unstarted(() -> quitAndWait(made, closed));
    Runtime.getRuntime().addShutdownHook(onSignal);
    try (VirtualMachine machine = create(config, place);
        MachineMonitors control = new MachineMonitors(machine, monitors)) {
      made.complete(machine);
      requireKvm(place);
      control.awaitClients();
      machine.start();
      return machine.awaitEnd() == Machine.Ending.FAILURE ? ExitCode.SOFTWARE : ExitCode.OK;
    } finally {
      made.cancel(false);
      closed.countDown();
    }
  }

  private static VirtualMachine create(VirtualMachineConfig config, Future<KvmPlace.Choice> place)
      throws IOException, OptionException {
    try {
      return VirtualMachine.create(config);
    } catch (KvmException e) {
      // The probe has a better sentence for what is missing.
      requireKvm(place);
      throw e;
    }
  }

  /** Ends a machine in good order when a signal ends the process. */
  private static void quitAndWait(CompletableFuture<VirtualMachine> made, CountDownLatch closed) {
    if (closed.getCount() == 0) {
      return;
    }
    try {
      made.get(MAKING_SECONDS, TimeUnit.SECONDS).quit();
      closed.await();
    } catch (CancellationException | ExecutionException | TimeoutException e) {
      // There is no machine, and whoever was making one has cleaned up or is stuck.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
