// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.graph.BlockRequest.Operation;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Turns the driver's words into block requests (virtio 1.3, section 5.2.6). Any thread; each word
 * of guest memory is read once.
 */
final class RequestParser {
  private final VirtioBlkModel model;
  private final long features;
  private final boolean readOnly;
  private final long blockMask;
  private final long maxDiscardSectors;
  private final long maxWriteZeroesSectors;
  private final byte[] id;

  RequestParser(VirtioBlkModel model, long features, boolean readOnly) {
    VirtioBlkOptions options = model.options();
    this.model = model;
    this.features = features;
    this.readOnly = readOnly;
    this.blockMask = options.logicalBlockSize() - 1L;
    this.maxDiscardSectors = options.maxDiscardSectors();
    this.maxWriteZeroesSectors = options.maxWriteZeroesSectors();
    this.id =
        Arrays.copyOf(
            options.serial().getBytes(StandardCharsets.US_ASCII), VirtioBlkFeatures.ID_BYTES);
  }

  /** Reads a request out of its chain and fills in the rest of it. */
  Verdict parse(VirtioBlkRequest request) {
    if (request.chain.readableBytes() < VirtioBlkFeatures.HEADER_BYTES
        || request.chain.writableBytes() < 1) {
      return Verdict.MALFORMED;
    }
    request.type = request.chain.readInt(0);
    request.forceUnitAccess = false;
    request.mayUnmap = false;
    return switch (request.type) {
      case VirtioBlkFeatures.T_IN -> read(request);
      case VirtioBlkFeatures.T_OUT -> write(request);
      case VirtioBlkFeatures.T_FLUSH -> flush(request);
      case VirtioBlkFeatures.T_GET_ID -> identify(request);
      case VirtioBlkFeatures.T_DISCARD ->
          range(request, Operation.DISCARD, VirtioBlkFeatures.DISCARD, maxDiscardSectors);
      case VirtioBlkFeatures.T_WRITE_ZEROES ->
          range(
              request,
              Operation.WRITE_ZEROES,
              VirtioBlkFeatures.WRITE_ZEROES,
              maxWriteZeroesSectors);
      default -> Verdict.UNSUPP;
    };
  }

  private Verdict read(VirtioBlkRequest request) {
    request.operation = Operation.READ;
    request.takeWritableData();
    return place(request, request.chain.readLong(8));
  }

  private Verdict write(VirtioBlkRequest request) {
    if (readOnly) {
      return Verdict.IOERR;
    }
    request.operation = Operation.WRITE;
    request.takeReadableData();
    return place(request, request.chain.readLong(8));
  }

  private static Verdict flush(VirtioBlkRequest request) {
    request.operation = Operation.FLUSH;
    request.offset = 0;
    request.length = 0;
    return Verdict.SUBMIT;
  }

  private Verdict place(VirtioBlkRequest request, long sector) {
    boolean whole = (request.length & blockMask) == 0;
    if (!whole || !isInside(sector, request.length >> VirtioBlkFeatures.SECTOR_SHIFT)) {
      return Verdict.IOERR;
    }
    request.offset = sector << VirtioBlkFeatures.SECTOR_SHIFT;
    return (request.offset & blockMask) == 0 ? Verdict.SUBMIT : Verdict.IOERR;
  }

  /** Sector numbers are the guest's, unsigned 64-bit. */
  private boolean isInside(long sector, long sectors) {
    long capacitySectors = model.capacitySectors();
    return sectors <= capacitySectors
        && Long.compareUnsigned(sector, capacitySectors - sectors) <= 0;
  }

  /**
   * The driver's room is 20 bytes (virtio 1.3, section 5.2.6); what it has beyond stays as it is.
   */
  private Verdict identify(VirtioBlkRequest request) {
    long room = request.chain.writableBytes() - 1;
    request.chain.writeBytes(0, id, 0, (int) Math.min(room, id.length));
    return Verdict.IDENTIFIED;
  }

  private Verdict range(
      VirtioBlkRequest request, Operation operation, long feature, long maxSectors) {
    if ((features & feature) == 0) {
      return Verdict.UNSUPP;
    }
    if (readOnly) {
      return Verdict.IOERR;
    }
    long bytes = request.chain.readableBytes() - VirtioBlkFeatures.HEADER_BYTES;
    if (bytes != VirtioBlkFeatures.RANGE_BYTES) {
      // More ranges than max_discard_seg and max_write_zeroes_seg, which are 1.
      return bytes > VirtioBlkFeatures.RANGE_BYTES ? Verdict.UNSUPP : Verdict.IOERR;
    }
    int at = VirtioBlkFeatures.HEADER_BYTES;
    long sector = request.chain.readLong(at);
    long sectors = Integer.toUnsignedLong(request.chain.readInt(at + 8));
    int flags = request.chain.readInt(at + 12);
    boolean unmap = (flags & VirtioBlkFeatures.RANGE_FLAG_UNMAP) != 0;
    boolean unknown = (flags & ~VirtioBlkFeatures.RANGE_FLAG_UNMAP) != 0;
    if (unknown || (unmap && operation == Operation.DISCARD)) {
      return Verdict.UNSUPP;
    }
    if (sectors > maxSectors) {
      return Verdict.IOERR;
    }
    request.operation = operation;
    request.mayUnmap = unmap;
    request.length = sectors << VirtioBlkFeatures.SECTOR_SHIFT;
    return place(request, sector);
  }
}
