// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.jna.LastErrorException;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import dev.spindle.linux.kvm.Kvm;
import dev.spindle.linux.kvm.KvmCap;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import jnr.ffi.LibraryLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The same kernel objects through other bindings, JNA and jnr-ffi: what one side does, the other
 * must see.
 */
class CrossCheckTest {
  /** The C library, as JNA calls it. */
  public interface JnaLibc extends com.sun.jna.Library {
    int getpid();

    NativeLong read(int fd, Pointer buffer, NativeLong count) throws LastErrorException;

    NativeLong write(int fd, Pointer buffer, NativeLong count) throws LastErrorException;

    int eventfd(int initial, int flags) throws LastErrorException;

    int open(String path, int flags) throws LastErrorException;

    int close(int fd);

    int fcntl(int fd, int command, Pointer argument) throws LastErrorException;

    int ioctl(int fd, NativeLong request, NativeLong argument) throws LastErrorException;
  }

  /** The C library, as jnr-ffi calls it. */
  public interface JnrLibc {
    int getpid();

    long write(int fd, byte[] buffer, long count);

    int memfd_create(String name, int flags);

    int ftruncate(int fd, long length);

    int ioctl(int fd, long request, long argument);
  }

  private static final JnaLibc JNA = Native.load("c", JnaLibc.class);
  private static final JnrLibc JNR = LibraryLoader.create(JnrLibc.class).load("c");
  private static final int FLOCK_SIZE = 32;

  @TempDir Path directory;

  @Test
  void theProcessIsTheSame() {
    assertEquals(JNA.getpid(), Syscall.invoke(SyscallNumber.GETPID, 0));
    assertEquals(JNR.getpid(), Syscall.invoke(SyscallNumber.GETPID, 0));
    assertEquals(ProcessHandle.current().pid(), Syscall.invoke(SyscallNumber.GETPID, 0));
  }

  @Test
  void eventFdsWorkAcrossBindings() throws Exception {
    Memory eight = new Memory(8);
    try (EventFd ours = EventFd.create();
        EventFd theirs = EventFd.of(Fd.owning(JNA.eventfd(3, 0), "JNA's eventfd"))) {
      assertEquals(3, theirs.read());
      eight.setLong(0, 7);
      assertEquals(8, JNA.write(ours.fd().number(), eight, new NativeLong(8)).longValue());
      assertEquals(8, JNR.write(ours.fd().number(), new byte[] {2, 0, 0, 0, 0, 0, 0, 0}, 8));
      assertEquals(9, ours.read());
      theirs.add(5);
      assertEquals(8, JNA.read(theirs.fd().number(), eight, new NativeLong(8)).longValue());
      assertEquals(5, eight.getLong(0));

      LastErrorException e =
          assertThrows(
              LastErrorException.class,
              () -> JNA.read(ours.fd().number(), eight, new NativeLong(8)));
      assertEquals(Errno.EAGAIN, e.getErrorCode(), "ours is non-blocking");
    }
  }

  @Test
  void memoryMadeByJnrIsMappedByUs() throws Exception {
    int number = JNR.memfd_create("jnr", 1);
    assertTrue(number >= 0);
    try (Fd fd = Fd.owning(number, "jnr's memfd")) {
      assertEquals(0, JNR.ftruncate(number, 4096));
      assertEquals(5, JNR.write(number, new byte[] {1, 2, 3, 4, 5}, 5));
      try (Mapping mapping = Mapping.shared(fd, 0, 4096)) {
        assertEquals(0x0403_0201, mapping.segment().get(ValueLayout.JAVA_INT, 0));
        assertEquals(5, mapping.segment().get(ValueLayout.JAVA_BYTE, 4));
      }
    }
  }

  @Test
  void errorsAreTheSame() {
    LinuxException ours =
        assertThrows(LinuxException.class, () -> LinuxFile.open(Path.of("/nowhere")));
    LastErrorException theirs =
        assertThrows(LastErrorException.class, () -> JNA.open("/nowhere", 0));
    assertEquals(theirs.getErrorCode(), ours.errno());
  }

  @Test
  void locksTakenByJnaAreSeenByUs() throws Exception {
    Path path = directory.resolve("locked");
    Files.createFile(path);
    int theirs = JNA.open(path.toString(), FileConstants.O_RDWR);
    try (LinuxFile ours = LinuxFile.open(path, OpenFlag.READ_WRITE)) {
      Memory flock = new Memory(FLOCK_SIZE);
      flock.clear();
      flock.setShort(0, (short) 1);
      flock.setLong(8, 50);
      flock.setLong(16, 10);
      assertEquals(0, JNA.fcntl(theirs, FileConstants.F_OFD_SETLK, flock));
      assertTrue(ours.ofdTest(59, 1, false));
      assertFalse(ours.ofdTest(60, 1, true));
      assertTrue(ours.ofdLock(60, 5, true));

      flock.setLong(8, 64);
      flock.setLong(16, 1);
      LastErrorException e =
          assertThrows(
              LastErrorException.class, () -> JNA.fcntl(theirs, FileConstants.F_OFD_SETLK, flock));
      assertEquals(Errno.EAGAIN, e.getErrorCode());
      assertEquals(0, JNA.fcntl(theirs, FileConstants.F_OFD_GETLK, flock));
      assertEquals(1, flock.getShort(0), "our write lock");
      assertEquals(60, flock.getLong(8));
      assertEquals(5, flock.getLong(16));
    } finally {
      JNA.close(theirs);
    }
  }

  @Test
  void kvmAnswersAllAlike() throws Exception {
    assumeTrue(Files.isWritable(Kvm.DEVICE), "no /dev/kvm");
    try (Kvm kvm = Kvm.open();
        LinuxFile device = LinuxFile.open(Kvm.DEVICE, OpenFlag.READ_WRITE)) {
      int fd = device.fd().number();
      long version = 0xAE00;
      long check = 0xAE03;
      assertEquals(JNR.ioctl(fd, version, 0), kvm.apiVersion());
      assertEquals(JNA.ioctl(fd, new NativeLong(version), new NativeLong(0)), kvm.apiVersion());
      for (int capability : new int[] {KvmCap.NR_VCPUS, KvmCap.NR_MEMSLOTS, KvmCap.IRQFD}) {
        assertEquals(
            JNA.ioctl(fd, new NativeLong(check), new NativeLong(capability)),
            kvm.checkExtension(capability));
        assertEquals(JNR.ioctl(fd, check, capability), kvm.checkExtension(capability));
      }
    }
  }
}
