// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.jna.Native;
import java.lang.reflect.Field;
import java.util.Map;
import java.util.TreeMap;
import jnr.constants.platform.Fcntl;
import jnr.constants.platform.OpenFlags;
import jnr.constants.platform.Signal;
import jnr.constants.platform.Sock;
import org.junit.jupiter.api.Test;

/** Error numbers and a few other constants against other people's tables. */
class ErrnoTest {
  private interface Libc extends com.sun.jna.Library {
    Libc INSTANCE = Native.load("c", Libc.class);

    String strerror(int errno);
  }

  @Test
  void numbersAreJnrs() throws Exception {
    Map<String, Integer> ours = new TreeMap<>();
    for (Field field : Errno.class.getDeclaredFields()) {
      if (field.getType() == int.class) {
        ours.put(field.getName(), field.getInt(null));
      }
    }
    int compared = 0;
    for (jnr.constants.platform.Errno theirs : jnr.constants.platform.Errno.values()) {
      // Errors of other systems have numbers made up by the library.
      if (theirs.defined() && ours.containsKey(theirs.name())) {
        assertEquals(theirs.intValue(), ours.get(theirs.name()), theirs.name());
        compared++;
      }
    }
    assertTrue(compared > 70, "compared only " + compared);
  }

  @Test
  void namesAndMessagesBelongToTheirNumbers() throws Exception {
    for (Field field : Errno.class.getDeclaredFields()) {
      if (field.getType() == int.class) {
        int errno = field.getInt(null);
        assertEquals(field.getName(), Errno.name(errno));
        assertEquals(Libc.INSTANCE.strerror(errno), Errno.message(errno));
      }
    }
    assertEquals("errno 4711", Errno.name(4711));
    assertEquals("errno 41", Errno.name(41), "a number that Linux skips");
    assertEquals(Libc.INSTANCE.strerror(4711), Errno.message(4711));
    assertEquals(Libc.INSTANCE.strerror(41), Errno.message(41));
    assertEquals("errno -1", Errno.name(-1));
  }

  @Test
  void otherConstantsAreJnrs() {
    assertEquals(OpenFlags.O_RDWR.intValue(), FileConstants.O_RDWR);
    assertEquals(OpenFlags.O_CREAT.intValue(), FileConstants.O_CREAT);
    assertEquals(OpenFlags.O_EXCL.intValue(), FileConstants.O_EXCL);
    assertEquals(OpenFlags.O_TRUNC.intValue(), FileConstants.O_TRUNC);
    assertEquals(OpenFlags.O_NONBLOCK.intValue(), FileConstants.O_NONBLOCK);
    assertEquals(OpenFlags.O_CLOEXEC.intValue(), FileConstants.O_CLOEXEC);
    assertEquals(Fcntl.F_GETFL.intValue(), FileConstants.F_GETFL);
    assertEquals(Fcntl.F_SETFL.intValue(), FileConstants.F_SETFL);
    assertEquals(Sock.SOCK_STREAM.intValue(), SocketConstants.SOCK_STREAM);
    assertEquals(Sock.SOCK_SEQPACKET.intValue(), SocketConstants.SOCK_SEQPACKET);
    assertTrue(Signal.SIGUSR2.intValue() < Signals.KICK, "real-time signals come after");
  }
}
