// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.plugin.DiskDriver;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A disk in memory that notes what it is asked for. */
class MemoryDisk implements DiskDriver {
  static final int SIZE = 4 << 20;

  final byte[] contents = new byte[SIZE];
  final List<String> calls = new CopyOnWriteArrayList<>();

  @Override
  public long size() {
    return contents.length;
  }

  @Override
  public void read(MemorySegment data, long offset) throws Exception {
    calls.add("read %d+%d".formatted(offset, data.byteSize()));
    MemorySegment.copy(
        contents, (int) offset, data, ValueLayout.JAVA_BYTE, 0, (int) data.byteSize());
  }

  @Override
  public void write(MemorySegment data, long offset) throws Exception {
    calls.add("write %d+%d".formatted(offset, data.byteSize()));
    MemorySegment.copy(
        data, ValueLayout.JAVA_BYTE, 0, contents, (int) offset, (int) data.byteSize());
  }

  @Override
  public void flush() throws Exception {
    calls.add("flush");
  }

  @Override
  public void discard(long offset, long length) throws Exception {
    calls.add("discard %d+%d".formatted(offset, length));
  }

  @Override
  public void close() {
    calls.add("close");
  }
}
