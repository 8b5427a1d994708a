// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.StraightLine;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.job.create.ImageCreation.Steps;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import dev.spindle.linux.LinuxFile;

/** Takes space for a range of a file that reads as zeroes. */
final class FileSpace {
  /** Bytes that are allocated in one go. */
  private static final long RANGE = 64 << 20;

  private final AioContext context;
  private final LinuxFile file;
  private final Preallocation mode;

  /** Of a file that is open for writing. */
  FileSpace(AioContext context, LinuxFile file, Preallocation mode) {
    this.context = context;
    this.file = file;
    this.mode = mode;
  }

  /**
   * Takes it. Straight-line code of the context.
   *
   * @throws BlockException why it is not to be had, without naming the file; or what {@code steps}
   *     throws
   */
  void take(long from, long end, Steps steps) throws BlockException {
    IoVector zeroes = new IoVector(Zeroes.MAX_RANGES);
    int handle = context.ring().registerFile(file.fd());
    try {
      for (long offset = from; offset < end; ) {
        long result = takeSome(handle, zeroes, offset, end - offset);
        if (result != -Errno.EINTR && result != -Errno.EAGAIN) {
          offset += check(result);
          steps.done(result);
        }
      }
    } finally {
      context.ring().unregisterFile(handle);
    }
  }

  private long takeSome(int handle, IoVector zeroes, long offset, long bytes) {
    if (mode == Preallocation.FALLOC) {
      long length = Math.min(RANGE, bytes);
      int status =
          StraightLine.run(
              context, (queue, token) -> queue.prepZeroRange(handle, offset, length, token));
      return status < 0 ? status : length;
    }
    Zeroes.fill(zeroes, bytes);
    return StraightLine.run(
        context, (queue, token) -> queue.prepWrite(handle, zeroes, offset, false, token));
  }

  private static long check(long result) throws BlockException {
    if (result <= 0) {
      throw new BlockException(
          Errno.message(result == 0 ? Errno.ENOSPC : Math.toIntExact(-result)));
    }
    return result;
  }
}
