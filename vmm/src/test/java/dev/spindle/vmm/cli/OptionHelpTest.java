// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockDrivers;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

class OptionHelpTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int execute(String... arguments) {
    List<Subcommand> commands =
        List.of(
            new Subcommand("run", "", RunCommand::spec),
            new Subcommand("graph", "", GraphCommand::spec),
            new Subcommand("storage-daemon", "", StorageDaemonCommand::spec));
    return Main.commandLine(commands, arguments)
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(arguments);
  }

  private void assertAnswers(String expected, String... arguments) {
    assertEquals(0, execute(arguments), err::toString);
    assertEquals(expected, out.toString());
    assertEquals("", err.toString());
  }

  @Test
  void aKindTellsWhatItTakes() {
    assertAnswers(
        """
        --blockdev driver=file takes:
          filename=TEXT                must be given
          cache.direct=on|off          default: off
          cache.no-flush=on|off        default: off
          discard=ignore|off|unmap|on  default: ignore
          aio=io_uring                 default: io_uring
          locking=auto|on|off          default: auto
          read-only=on|off             default: off
        """,
        "run",
        "--blockdev",
        "driver=file,help");
  }

  @Test
  void theNbdServerHasNoKinds() {
    assertAnswers(
        """
        --nbd-server takes:
          max-connections=N        default: 100
          handshake-max-seconds=N  default: 10
          tls-creds=TEXT
          addr.type=unix|inet
          addr.path=TEXT
          addr.host=TEXT
          addr.port=N
        """,
        "storage-daemon",
        "--nbd-server",
        "help");
    out.getBuffer().setLength(0);
    assertEquals(0, execute("storage-daemon", "--help"));
    assertTrue(
        out.toString().contains("\n--nbd-server: max-connections, handshake"), out::toString);
    assertTrue(out.toString().lines().allMatch(line -> line.length() <= 80), out::toString);
  }

  @Test
  void everyDriverIsListed() {
    assertEquals(0, execute("graph", "--blockdev", "help"));
    for (String driver : BlockDrivers.load().keySet()) {
      assertTrue(out.toString().contains("\n  driver=" + driver + ": "), out::toString);
    }
  }

  @Test
  void aDeviceTellsItsPropertiesAndNeedsNothingElse() {
    assertEquals(0, execute("run", "--device", "virtio-blk-pci,help"));
    assertTrue(out.toString().matches("(?s).*\n  drive=TEXT +must be given\n.*"), out::toString);
    assertTrue(out.toString().matches("(?s).*\n  queue-size=N +default: 256\n.*"), out::toString);
  }

  @Test
  void theCommandsHelpNamesTheKinds() {
    assertEquals(0, execute("run", "--help"));
    assertTrue(
        out.toString().contains("\n  virtio-rng-pci: id, bus, addr, packed\n"), out::toString);
    assertTrue(out.toString().contains("\n  iothread: id, poll-max-ns"), out::toString);
    assertTrue(
        out.toString().contains("\n  driver=quorum: read-only, children.N, "), out::toString);
    assertTrue(out.toString().lines().allMatch(line -> line.length() <= 80), out::toString);
  }

  /** It is compiled for that. */
  @Test
  void aDriverThatAUserWroteTellsItsOwnOptions() {
    assertAnswers(
        """
        --blockdev driver=java takes:
          read-only=on|off  default: off
          source=TEXT
          class=TEXT
          jar=TEXT
          size=SIZE         default: 64M
        """,
        "graph",
        "--blockdev",
        "driver=java,source=../docs/examples/Ram.java,help");
  }

  @Test
  void aDriverThatAUserWroteWrongIsNamed() {
    assertEquals(1, execute("graph", "--blockdev", "driver=java,source=None.java,help"));
    assertEquals("spindle: Could not read 'None.java': there is no such file\n", err.toString());
  }

  @Test
  void aKindThatDoesNotExistIsNamed() {
    assertEquals(1, execute("run", "--device", "virtio-blk,help"));
    assertEquals(
        "spindle: --device: there is no 'virtio-blk' (did you mean 'virtio-blk-pci'?)\n",
        err.toString());
    assertEquals("", out.toString());
  }
}
