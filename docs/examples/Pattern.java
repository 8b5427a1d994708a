// SPDX-License-Identifier: Apache-2.0

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskDriver;
import dev.spindle.block.plugin.ThreadModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A disk that makes up its data: every eight bytes hold their own offset, the first byte of it
 * first, as in nbdkit's pattern plugin. {@code driver=java,source=Pattern.java,size=1T}. It is
 * read-only, since there is no {@code write}.
 */
public final class Pattern implements DiskDriver {
  private static final ValueLayout.OfLong NUMBER =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private long size;

  @Override
  public void configure(Options options) throws OptionException {
    size = options.size("size", 1L << 30);
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public int blockSize() {
    return Long.BYTES;
  }

  @Override
  public ThreadModel threadModel() {
    return ThreadModel.PARALLEL;
  }

  @Override
  public void read(MemorySegment data, long offset) {
    for (long at = 0; at < data.byteSize(); at += Long.BYTES) {
      data.set(NUMBER, at, offset + at);
    }
  }
}
