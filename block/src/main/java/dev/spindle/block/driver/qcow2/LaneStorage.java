// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.ReentrantLock;

/** A child as straight-line code of one context uses it. Virtual threads of that context only. */
final class LaneStorage implements Storage {
  private final ImageFile file;

  /** Shared by all who make the child longer: one of them must not cut off another's. */
  private final ReentrantLock growth;

  /** Null if there is no such file. */
  private final ImageFile flushedBefore;

  /**
   * Uses a child.
   *
   * @param growth held by who makes it longer
   * @param flushedBefore another child, of which what is written here speaks: what is there has to
   *     be on stable storage before what comes after a flush here. Null if there is none
   */
  LaneStorage(ImageFile file, ReentrantLock growth, ImageFile flushedBefore) {
    this.file = file;
    this.growth = growth;
    this.flushedBefore = flushedBefore;
  }

  /** What is done with the file. */
  @FunctionalInterface
  private interface Access {
    void run() throws ImageException;
  }

  private static void run(Access access) throws Qcow2Exception {
    try {
      access.run();
    } catch (ImageException e) {
      throw new Qcow2Exception(e.errno(), e.getMessage());
    }
  }

  /** Files grow with what is written past their ends; other nodes have to be told. */
  private void grow(long end, Access access) throws Qcow2Exception {
    run(
        () -> {
          try {
            access.run();
          } catch (ImageException e) {
            if (e.errno() != Errno.EIO || end <= file.length()) {
              throw e;
            }
            growTo(end);
            access.run();
          }
        });
  }

  private void growTo(long end) throws ImageException {
    growth.lock();
    try {
      if (end > file.length()) {
        file.resize(end);
      }
    } finally {
      growth.unlock();
    }
  }

  @Override
  public BounceBuffers buffers() {
    return file.buffers();
  }

  @Override
  public long length() {
    return file.length();
  }

  @Override
  public void resize(long length) throws Qcow2Exception {
    growth.lock();
    try {
      run(() -> file.resize(length));
    } finally {
      growth.unlock();
    }
  }

  @Override
  public void read(long offset, IoVector data, long position, long length) throws Qcow2Exception {
    run(() -> file.read(offset, data, position, length));
  }

  @Override
  public void read(long offset, MemorySegment target) throws Qcow2Exception {
    run(() -> file.read(offset, target));
  }

  @Override
  public void write(long offset, MemorySegment source) throws Qcow2Exception {
    grow(offset + source.byteSize(), () -> file.write(offset, source));
  }

  @Override
  public void write(
      long offset,
      MemorySegment head,
      IoVector data,
      long position,
      long length,
      MemorySegment tail)
      throws Qcow2Exception {
    grow(
        offset + head.byteSize() + length + tail.byteSize(),
        () -> file.write(offset, head, data, position, length, tail));
  }

  @Override
  public void zero(long offset, long length, boolean mayUnmap) throws Qcow2Exception {
    grow(offset + length, () -> file.zero(offset, length, mayUnmap, false));
  }

  @Override
  public void discard(long offset, long length) throws Qcow2Exception {
    run(() -> file.discard(offset, length));
  }

  @Override
  public void flush() throws Qcow2Exception {
    if (flushedBefore != null) {
      run(flushedBefore::flush);
    }
    run(file::flush);
  }
}
