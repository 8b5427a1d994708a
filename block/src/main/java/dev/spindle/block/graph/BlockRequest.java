// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.util.function.IntSupplier;

/**
 * One I/O operation on its way through the graph. Made and pooled by whoever submits; in flight it
 * belongs to the block layer, and is handed back through {@link #completed}. Fields are read and
 * written on the submitting lane's thread only.
 */
public abstract class BlockRequest {
  /** The operations of a block node. */
  public enum Operation {
    READ,
    WRITE,
    FLUSH,
    DISCARD,
    WRITE_ZEROES
  }

  /** Buffers of a READ or WRITE; their total is {@link #length}. Unused otherwise. */
  public final IoVector buffers;

  /** What to do. */
  public Operation operation;

  /** Start of the range in bytes. */
  public long offset;

  /** Length of the range in bytes. */
  public long length;

  /** WRITE, WRITE_ZEROES: the data must be on stable storage before completion. */
  public boolean forceUnitAccess;

  /** WRITE_ZEROES: the range may be deallocated if it then reads as zeroes. */
  public boolean mayUnmap;

  /**
   * WRITE_ZEROES: is to end with EOPNOTSUPP where zeroes would have to be written as data are.
   * Always false unless whoever makes the request says otherwise.
   */
  public boolean mustBeFast;

  /**
   * WRITE: whole units may be kept in packed (compressed) form by a format that knows one. Only a
   * hint: filters that make requests of their own lose it.
   */
  public boolean mayPack;

  /**
   * READ: nobody looks at what is read, which is only to be near when it is wanted. A node may have
   * that done where the data are, and leave the buffers alone. Always false unless whoever makes
   * the request says otherwise.
   */
  public boolean onlyFetch;

  /** Link of whatever queue the request waits in. */
  BlockRequest next;

  /** Where it is to go in the node that keeps it in such a queue. */
  long waitingOffset;

  /** The backend's lane it was submitted on; null for what a node sends to its own child. */
  BackendLane lane;

  /** How often it has ended; whoever submits it can tell by it whether it has. */
  private int ends;

  /**
   * Makes a request with room for {@code maxBuffers} buffers.
   *
   * @param maxBuffers 1 to 1024 (IOV_MAX)
   */
  protected BlockRequest(int maxBuffers) {
    this.buffers = new IoVector(maxBuffers);
  }

  /**
   * The operation ended. Called once, on the submitting lane's thread, possibly from within the
   * submission itself.
   *
   * @param result 0, or a negated errno
   */
  protected abstract void completed(int result);

  /**
   * For the node that carried the request out: hands it back to whoever submitted it.
   *
   * @param result 0, or a negated errno
   */
  public final void complete(int result) {
    ends++;
    if (lane == null) {
      completed(result);
    } else {
      lane.finish(this, result);
    }
  }

  /** How often it has ended, for {@link #failUnlessEnded}. */
  final int ends() {
    return ends;
  }

  /**
   * Its submission threw something. Nobody has it then, and whoever waits for it would do so for
   * ever: it fails, unless it is the end of the request that has thrown.
   *
   * @param endsBefore what {@link #ends} was before the submission
   * @return whether it had not ended
   */
  final boolean failUnlessEnded(int endsBefore) {
    if (ends != endsBefore) {
      return false;
    }
    complete(-Errno.EIO);
    return true;
  }

  /**
   * For a node whose way with the request has to wait: runs {@code body} as straight-line code of
   * the context and completes the request with what it returns, ENOMEM if memory runs out, EIO if
   * it throws anything else.
   */
  public final void completeWith(AioContext context, String threadName, IntSupplier body) {
    context.startVirtual(
        threadName,
        () -> {
          int result = -Errno.EIO;
          try {
            result = body.getAsInt();
          } catch (OutOfMemoryError e) {
            result = -Errno.ENOMEM;
          } finally {
            complete(result);
          }
        });
  }
}
