// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Packs and unpacks zstd data (RFC 8878) with the system's {@code libzstd.so.1}, which Debian's
 * package manager itself needs. It is loaded when it is first used. Any thread.
 */
public final class Zstd {
  private static final String LIBRARY = "libzstd.so.1";

  private Zstd() {}

  /** The functions, linked once. */
  private static final class Library {
    static final boolean PRESENT;
    static final MethodHandle FRAME_SIZE;
    static final MethodHandle DECOMPRESS;
    static final MethodHandle COMPRESS;
    static final MethodHandle IS_ERROR;

    static {
      SymbolLookup symbols = null;
      try {
        symbols = SymbolLookup.libraryLookup(LIBRARY, Arena.global());
      } catch (IllegalArgumentException e) {
        // It is not there, which is no failure until somebody needs it.
      }
      PRESENT = symbols != null;
      ValueLayout.OfLong size = ValueLayout.JAVA_LONG;
      var address = ValueLayout.ADDRESS;
      FRAME_SIZE =
          link(symbols, "ZSTD_findFrameCompressedSize", FunctionDescriptor.of(size, address, size));
      DECOMPRESS =
          link(
              symbols,
              "ZSTD_decompress",
              FunctionDescriptor.of(size, address, size, address, size));
      COMPRESS =
          link(
              symbols,
              "ZSTD_compress",
              FunctionDescriptor.of(size, address, size, address, size, ValueLayout.JAVA_INT));
      IS_ERROR = link(symbols, "ZSTD_isError", FunctionDescriptor.of(ValueLayout.JAVA_INT, size));
    }

    private Library() {}

    private static MethodHandle link(
        SymbolLookup symbols, String name, FunctionDescriptor signature) {
      return symbols == null
          ? null
          : Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), signature);
    }
  }

  /** Whether the library is there. */
  public static boolean isAvailable() {
    return Library.PRESENT;
  }

  /**
   * Unpacks frames until a piece of memory is full; what follows them is left alone.
   *
   * @param source native memory
   * @param target native memory
   * @return whether the frames were whole and filled it
   */
  public static boolean decompress(MemorySegment source, MemorySegment target) {
    long read = 0;
    long written = 0;
    while (written < target.byteSize()) {
      MemorySegment rest = source.asSlice(read);
      long frame = frameSize(rest);
      if (frame <= 0 || frame > rest.byteSize()) {
        return false;
      }
      long bytes = decompressFrame(rest.asSlice(0, frame), target.asSlice(written));
      if (bytes <= 0) {
        return false;
      }
      read += frame;
      written += bytes;
    }
    return true;
  }

  /**
   * Packs data into one frame.
   *
   * @param source native memory
   * @param target native memory
   * @param level from 1 (fast) to 19 (small)
   * @return the frame's length, bytes; -1 if it does not fit
   */
  public static long compress(MemorySegment source, MemorySegment target, int level) {
    try {
      return checked(
          (long)
              Library.COMPRESS.invokeExact(
                  target, target.byteSize(), source, source.byteSize(), level));
    } catch (RuntimeException | Error failure) {
      throw failure;
    } catch (Throwable failure) {
      throw new AssertionError("a downcall threw a checked exception", failure);
    }
  }

  /** The length of the frame that starts a piece of memory, or -1. */
  private static long frameSize(MemorySegment source) {
    try {
      return checked((long) Library.FRAME_SIZE.invokeExact(source, source.byteSize()));
    } catch (RuntimeException | Error failure) {
      throw failure;
    } catch (Throwable failure) {
      throw new AssertionError("a downcall threw a checked exception", failure);
    }
  }

  private static long decompressFrame(MemorySegment source, MemorySegment target) {
    try {
      return checked(
          (long)
              Library.DECOMPRESS.invokeExact(target, target.byteSize(), source, source.byteSize()));
    } catch (RuntimeException | Error failure) {
      throw failure;
    } catch (Throwable failure) {
      throw new AssertionError("a downcall threw a checked exception", failure);
    }
  }

  private static long checked(long result) throws Throwable {
    return (int) Library.IS_ERROR.invokeExact(result) != 0 ? -1 : result;
  }
}
