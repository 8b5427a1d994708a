// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.plugin.DiskDriver;
import dev.spindle.block.plugin.DiskFilter;
import dev.spindle.block.plugin.Extent;
import dev.spindle.block.plugin.NextDisk;
import java.lang.foreign.MemorySegment;

/** A plain driver for those who call filters: there is no next disk. */
record DriverAsFilter(DiskDriver driver) implements DiskFilter {
  @Override
  public long size(long next) throws Exception {
    return driver.size();
  }

  @Override
  public boolean canWrite() {
    return driver.canWrite();
  }

  @Override
  public void read(NextDisk next, MemorySegment data, long offset) throws Exception {
    driver.read(data, offset);
  }

  @Override
  public void write(NextDisk next, MemorySegment data, long offset) throws Exception {
    driver.write(data, offset);
  }

  @Override
  public void writeDurably(NextDisk next, MemorySegment data, long offset) throws Exception {
    driver.writeDurably(data, offset);
  }

  @Override
  public Extent extent(NextDisk next, long offset, long length) throws Exception {
    return driver.extent(offset, length);
  }

  @Override
  public void flush(NextDisk next) throws Exception {
    driver.flush();
  }

  @Override
  public void discard(NextDisk next, long offset, long length) throws Exception {
    driver.discard(offset, length);
  }

  @Override
  public void writeZeroes(NextDisk next, long offset, long length, boolean mayDiscard)
      throws Exception {
    driver.writeZeroes(offset, length, mayDiscard);
  }
}
