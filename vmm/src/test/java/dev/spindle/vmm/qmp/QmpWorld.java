// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.linux.Endpoint;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.machine.ObjectTree;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.qmp.command.BlockLayerCommands;
import dev.spindle.vmm.qmp.command.MonitorCommands;
import dev.spindle.vmm.qmp.command.QomCommands;
import dev.spindle.vmm.qmp.command.ResizeCommands;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** A monitor over a block layer with one iothread, and a command that takes as long as it likes. */
final class QmpWorld implements AutoCloseable {
  final Path socket;
  final BlockLayer layer;
  final CommandTable commands = new CommandTable();
  final CountDownLatch slowBegun = new CountDownLatch(1);
  final CountDownLatch slowMayEnd = new CountDownLatch(1);
  final CountDownLatch quit = new CountDownLatch(1);
  private final QmpServer server;

  QmpWorld(Path folder) throws Exception {
    socket = folder.resolve("qmp.sock");
    layer =
        new BlockLayer(
            List.of(new IoThreadOption("io0", ContextOptions.IOTHREAD)),
            List.of(),
            List.of(),
            List.of());
    MonitorEvents events = new MonitorEvents();
    VersionInfo version = VersionInfo.of("0.1.0");
    commands
        .add(MonitorCommands.all(), new MonitorCommands.Control(commands, version, quit::countDown))
        .add(QomCommands.all(), new ObjectTree(layer.objects(), ObjectTree.Devices.NONE))
        .add(
            List.of(QmpCommand.action("test-slow", QmpCommand.None.class, "", QmpWorld::slow)),
            this);
    BlockLayerCommands.addTo(commands, layer, ResizeCommands.Disks.NONE, events);
    server =
        QmpServer.listen(
            "qmp-test",
            new Endpoint.Unix(socket),
            new MonitorSite(layer.mainLoop(), commands, events, version));
  }

  private static void slow(QmpWorld world, QmpCommand.None none) {
    world.slowBegun.countDown();
    try {
      world.slowMayEnd.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** A client that has negotiated what the server offers. */
  QmpClient client() throws Exception {
    QmpClient client = QmpClient.connect(socket);
    client.send("{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}");
    client.reply();
    return client;
  }

  /** Hangs up, as at the end of the program. */
  void closeServer() {
    server.close();
  }

  @Override
  public void close() {
    slowMayEnd.countDown();
    server.close();
    layer.close();
  }
}
