// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.export.BlockExports;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * QEMU, which emulates the whole machine, boots a guest from one vhost-user-blk export, and fio in
 * it writes to another, whose queues are packed, and reads it back while that moves between
 * iothreads.
 */
@Timeout(value = 900, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QemuOnExportTest {
  @TempDir Path folder;

  private static Options options(String owner, String text, String implied) throws Exception {
    return new Options(owner, KeyValues.parse(owner, text, implied));
  }

  @Test
  void aGuestVerifiesItsDiskWhileThatMoves() throws Exception {
    QemuGuest guest = new QemuGuest(folder);
    List<IoThreadOption> threads =
        List.of(
            new IoThreadOption("io0", ContextOptions.IOTHREAD),
            new IoThreadOption("io1", ContextOptions.IOTHREAD));
    List<Options> nodes =
        List.of(
            options(
                "--blockdev",
                "driver=file,node-name=root,read-only=on,filename=" + QemuGuest.rootDisk(),
                null),
            options(
                "--blockdev",
                "driver=file,node-name=data,cache.direct=on,filename=" + guest.makeDataDisk(),
                null));
    int moves = 0;
    try (BlockLayer blockLayer = new BlockLayer(threads, List.of(), List.of(), nodes)) {
      MainLoop mainLoop = blockLayer.mainLoop();
      BlockExports exports = blockLayer.exports();
      try {
        open(
            exports,
            "type=vhost-user-blk,id=root,node-name=root,addr.type=unix,addr.path="
                + folder.resolve("root.sock"));
        open(
            exports,
            "type=vhost-user-blk,id=data,node-name=data,writable=on,num-queues=2,iothread=io0,"
                + "addr.type=unix,addr.path="
                + folder.resolve("data.sock"));
        Process qemu = guest.start(16, "", ",packed=on");
        try {
          while (!qemu.waitFor(5, TimeUnit.MILLISECONDS)) {
            IoThread target = blockLayer.ioThread(moves % 2 == 0 ? "io1" : "io0");
            mainLoop.<Void, Exception>control(
                "move",
                () -> {
                  ContextChange.run(blockLayer.graph().find("data"), target.context());
                  return null;
                });
            moves++;
          }
          guest.assertVerified(qemu);
        } finally {
          qemu.destroyForcibly().waitFor();
        }
      } finally {
        exports.closeAll();
      }
    }
    assertTrue(moves > 100, "only " + moves + " moves");
  }

  private static void open(BlockExports exports, String description) throws Exception {
    Options export = options("--export", description, "type");
    exports
        .mainLoop()
        .<Void, Exception>control(
            "export",
            () -> {
              exports.open(export);
              return null;
            });
  }
}
