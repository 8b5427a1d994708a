// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.MemFd;
import dev.spindle.linux.UnixSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where an export listens for clients. */
class ListeningTest extends OneExport {
  @Test
  void whatIsNoListeningSocketIsRefused() throws Exception {
    assertRefused(1_000_000, "Export 'f': cannot listen: getsockopt descriptor 1000000: EBADF");
    try (MemFd file = MemFd.create("file", 4096, MemFd.Pages.NORMAL);
        UnixSocket server = UnixSocket.listen(folder.resolve("own"), UnixSocket.Type.STREAM, 1)) {
      List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.STREAM);
      int connected = pair.getFirst().fd().number();
      int number = file.fd().number();
      assertRefused(number, "descriptor " + number + " is no local stream socket that listens");
      assertRefused(
          connected, "descriptor " + connected + " is no local stream socket that listens");
      pair.forEach(UnixSocket::close);
      world.export(
          "vhost-user-blk,id=f,node-name=disk,writable=on,addr.type=fd,addr.str="
              + server.fd().duplicate().number());
      try (TestFrontEnd client = TestFrontEnd.connected(folder.resolve("own"))) {
        client.negotiate();
        client.settle();
      }
      world.exports.close("f");
    }
  }

  private void assertRefused(int descriptor, String reason) {
    Exception refusal =
        assertThrows(
            Exception.class,
            () ->
                world.export(
                    "vhost-user-blk,id=f,node-name=disk,addr.type=fd,addr.str=" + descriptor));
    assertTrue(refusal.getMessage().contains(reason), refusal.getMessage());
  }

  @Test
  void aPathThatAKilledProcessLeftIsUsedAgainAndOneInUseIsNot() throws Exception {
    Exception refusal =
        assertThrows(
            Exception.class,
            () ->
                world.export(
                    "vhost-user-blk,id=f,node-name=disk,addr.type=unix,addr.path=" + socket));
    assertTrue(refusal.getMessage().contains("somebody listens there"), refusal.getMessage());
    assertTrue(Files.exists(socket));
    assertEquals(1, world.node("disk").parents().size());
    Path left = folder.resolve("left");
    ServerSocketChannel.open(StandardProtocolFamily.UNIX)
        .bind(UnixDomainSocketAddress.of(left))
        .close();
    assertTrue(Files.exists(left));
    world.export("vhost-user-blk,id=f,node-name=disk,writable=on,addr.type=unix,addr.path=" + left);
    try (TestFrontEnd client = TestFrontEnd.connected(left)) {
      client.negotiate();
      client.settle();
    }
    world.exports.close("f");
  }
}
