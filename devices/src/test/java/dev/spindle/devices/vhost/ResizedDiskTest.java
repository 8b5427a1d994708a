// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.Permission;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.linux.UnixSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A disk that gets another length while it is served: clients that want to are told. */
class ResizedDiskTest extends OneExport {
  /** The end of a channel by which a client hears of changes. */
  private static UnixSocket channelTo(TestFrontEnd client) throws Exception {
    List<UnixSocket> channel = UnixSocket.pair(UnixSocket.Type.STREAM);
    try (UnixSocket theirs = channel.get(1)) {
      client.send(VhostUserRequest.SET_BACKEND_REQ_FD, new VhostUserPayload.Empty(), theirs.fd());
      client.settle();
    }
    return channel.get(0);
  }

  /** Waits until the client is told, and asks it for the capacity. */
  private static long sectorsAfterChange(UnixSocket channel, TestFrontEnd client) throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment message = arena.allocate(12);
      assertEquals(12, channel.receive(message, 0).bytes());
      assertEquals(2, message.get(ValueLayout.JAVA_INT, 0), "BACKEND_CONFIG_CHANGE_MSG");
      assertEquals(0, message.get(ValueLayout.JAVA_INT, 8), "nothing follows");
    }
    return ByteBuffer.wrap(client.config(0, 60)).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
  }

  @Test
  void aNodeThatGrowsIsNoticed() throws Exception {
    String blockdev = "driver=raw,node-name=window,file=disk,size=";
    world.open(blockdev + "1M");
    Path place = folder.resolve("window");
    world.export(
        "vhost-user-blk,id=w,node-name=window,writable=on,addr.type=unix,addr.path=" + place);
    try (TestFrontEnd client = TestFrontEnd.connected(place).start();
        UnixSocket channel = channelTo(client)) {
      assertEquals(BlkDriver.IOERR, client.run(BlkDriver.IN, 2048, 512));
      world.control(() -> world.graph.reopen(List.of(FrontEndFixture.options(blockdev + "2M"))));
      assertEquals(4096, sectorsAfterChange(channel, client));
      client.write(2048, pattern(1, 512));
      assertArrayEquals(pattern(1, 512), onDisk(2048, 512));
      client.send(
          VhostUserRequest.SET_BACKEND_REQ_FD, new VhostUserPayload.Empty(), client.memory.file());
      client.awaitHangUp();
    }
    world.exports.close("w");
    world.control(() -> world.graph.close(world.graph.find("window")));
  }

  /** By one of its users, as {@code block_resize} does. */
  @Test
  void aNodeThatIsResizedIsNoticed() throws Exception {
    BlockBackend[] resizer = new BlockBackend[1];
    world.control(
        () ->
            resizer[0] =
                new BlockBackend(
                    world.graph.find("disk"),
                    () -> "resizer",
                    EnumSet.of(Permission.RESIZE),
                    Permission.all()));
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start();
        UnixSocket channel = channelTo(client)) {
      for (int bytes : new int[] {2 * DISK_BYTES, DISK_BYTES / 2}) {
        world.control(() -> world.graph.resize(resizer[0], bytes));
        int sectors = bytes / 512;
        assertEquals(sectors, sectorsAfterChange(channel, client));
        client.write(sectors - 1, pattern(bytes, 512));
        assertArrayEquals(pattern(bytes, 512), onDisk(sectors - 1, 512));
        assertEquals(BlkDriver.IOERR, client.run(BlkDriver.OUT, sectors, 512));
        assertEquals(bytes, Files.size(image));
      }
    }
    world.control(resizer[0]::close);
  }
}
