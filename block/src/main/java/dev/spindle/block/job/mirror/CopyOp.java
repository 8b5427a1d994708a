// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.graph.BlockRequest;
import java.lang.foreign.MemorySegment;

/** One piece of the copy: reads it from the source, and writes it to the target. */
final class CopyOp extends BlockRequest {
  private final Copier copier;
  private final MemorySegment buffer;
  final Overlaps.Span span;
  private DirtyArea area;
  private boolean writing;
  private int result;

  CopyOp(Copier copier, MemorySegment buffer, Overlaps.Span span) {
    super(1);
    this.copier = copier;
    this.buffer = buffer;
    this.span = span;
  }

  void start(DirtyArea newArea) {
    area = newArea;
    writing = false;
    operation = Operation.READ;
    offset = area.offset();
    length = area.bytes();
    fillIn();
    copier.source().submit(this);
  }

  private void fillIn() {
    buffers.clear();
    buffers.add(buffer, 0, length);
  }

  @Override
  protected void completed(int status) {
    if (status == 0 && !writing) {
      write();
    } else {
      result = status;
      copier.ended(this);
    }
  }

  private void write() {
    writing = true;
    if (copier.isZero(buffer, length)) {
      operation = Operation.WRITE_ZEROES;
      mayUnmap = true;
    } else {
      operation = Operation.WRITE;
      fillIn();
    }
    copier.target().submit(this);
  }

  /** What it copies. */
  DirtyArea area() {
    return area;
  }

  boolean overlaps(DirtyArea other) {
    return area.offset() < other.end() && other.offset() < area.end();
  }

  /** Whether it came to writing. */
  boolean wrote() {
    return writing;
  }

  /** 0 or a negated errno. */
  int result() {
    return result;
  }
}
