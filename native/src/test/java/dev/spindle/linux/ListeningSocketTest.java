// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.ListeningSocket.Access;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ListeningSocketTest {
  @TempDir Path directory;

  private static StreamSocket open(Path path) throws ListenException {
    return ListeningSocket.open(new Endpoint.Unix(path), 5, Access.UMASK);
  }

  private static void assertRefused(Path path, String reason) {
    ListenException refusal = assertThrows(ListenException.class, () -> open(path).close());
    assertEquals("cannot listen at '" + path + "': " + reason, refusal.getMessage());
  }

  /** A file in the way must not be taken for what a killed process has left. */
  @Test
  void onlyASocketIsLeftBehind() throws Exception {
    Path file = Files.write(directory.resolve("image"), new byte[1]);
    assertFalse(ListeningSocket.isStale(file));
    assertFalse(ListeningSocket.isStale(directory));
    assertFalse(ListeningSocket.isStale(directory.resolve("nothing")));
    Path path = directory.resolve("socket");
    try (StreamSocket listener = open(path)) {
      assertFalse(ListeningSocket.isStale(path));
    }
    assertTrue(ListeningSocket.isStale(path));
    Path link = Files.createSymbolicLink(directory.resolve("link"), path);
    assertFalse(ListeningSocket.isStale(link));
    try (StreamSocket again = open(path)) {
      assertRefused(path, "somebody listens there");
    }
    assertRefused(file, "something is there that is no socket");
    assertRefused(link, "something is there that is no socket");
    assertRefused(directory, "something is there that is no socket");
    assertArrayEquals(new byte[1], Files.readAllBytes(file));
  }

  @Test
  void whatCannotBeListenedAtIsExplained() throws Exception {
    Path longPath = Path.of("/tmp/" + "\u00e9".repeat(60));
    assertRefused(longPath, "a socket's path takes 107 bytes, and this one has 125");
    assertRefused(directory.resolve("no/socket"), "No such file or directory");
    InetAddress local = InetAddress.getByName("127.0.0.1");
    try (StreamSocket listener = StreamSocket.listen(new Endpoint.Inet(local, 0), 5)) {
      Endpoint taken = listener.localEndpoint();
      ListenException refusal =
          assertThrows(
              ListenException.class, () -> ListeningSocket.open(taken, 5, Access.UMASK).close());
      assertEquals(
          "cannot listen at '" + taken + "': Address already in use", refusal.getMessage());
    }
  }

  @Test
  void thatOfItsOwnerIsHisAlone() throws Exception {
    Path path = directory.resolve("private");
    try (StreamSocket listener = ListeningSocket.open(new Endpoint.Unix(path), 5, Access.OWNER)) {
      assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(path)));
    }
  }
}
