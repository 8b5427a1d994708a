// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.devices.virtio.DescriptorChain;

/** A driver's request, from the descriptor chain it came in to the status it goes back with. */
final class VirtioBlkRequest extends BlockRequest {
  final DescriptorChain chain = new DescriptorChain();
  private final VirtioBlkQueue queue;

  /** The request's number among {@code VIRTIO_BLK_T_…}. */
  int type;

  /** Where its data are while it is on its way, if not in the driver's memory; else null. */
  BounceBuffers.Buffer detour;

  VirtioBlkRequest(VirtioBlkQueue queue, int maxBuffers) {
    super(maxBuffers);
    this.queue = queue;
  }

  /** Takes the data pieces of a read: all that is writable but the last byte, the status. */
  void takeWritableData() {
    takeData(chain.readableCount(), chain.count(), 0, chain.writableBytes() - 1);
  }

  /** Takes the data pieces of a write: all that is readable after the header. */
  void takeReadableData() {
    takeData(
        0,
        chain.readableCount(),
        VirtioBlkFeatures.HEADER_BYTES,
        chain.readableBytes() - VirtioBlkFeatures.HEADER_BYTES);
  }

  /** Where pieces begin and end is the driver's affair (virtio 1.3, section 2.6.4). */
  private void takeData(int firstPiece, int endPiece, long skipBytes, long bytes) {
    buffers.clear();
    long skip = skipBytes;
    long left = bytes;
    for (int i = firstPiece; i < endPiece && left > 0; i++) {
      long pieceLength = chain.length(i);
      if (skip >= pieceLength) {
        skip -= pieceLength;
        continue;
      }
      long part = Math.min(pieceLength - skip, left);
      buffers.add(chain.memory(), chain.offset(i) + skip, part);
      left -= part;
      skip = 0;
    }
    length = bytes;
  }

  @Override
  protected void completed(int result) {
    queue.completed(this, result);
  }
}
