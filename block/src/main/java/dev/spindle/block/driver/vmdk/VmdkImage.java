// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vmdk;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.format.CheckTally;
import dev.spindle.block.format.Extent;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.NewCluster;
import dev.spindle.block.image.ImageDescription;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/** An open VMDK image: parts one behind the other, each flat or sparse. */
final class VmdkImage extends Image {
  /** A part of the disk. */
  sealed interface Part {
    /** Where it begins in the disk, in bytes. */
    long start();

    /** In bytes. */
    long length();
  }

  /** A part that is held as it is, from {@code offset} on in a file. */
  record Flat(long start, long length, int file, long offset) implements Part {}

  /** A part of zeroes, which cannot be written. */
  record Zero(long start, long length) implements Part {}

  /** A part in grains. */
  record Sparse(long start, long length, SparseExtent extent) implements Part {}

  private final VmdkDescriptor descriptor;
  private final long descriptorOffset;
  private final long descriptorBytes;
  private final List<Part> parts;
  private final long length;
  private final long clusterSize;
  private final String readOnlyReason;

  /**
   * Puts an image together.
   *
   * @param descriptorOffset where the text is in the image's own file, in bytes
   * @param descriptorBytes room for it
   * @param parts in order, each where the one before ends
   */
  VmdkImage(
      VmdkDescriptor descriptor, long descriptorOffset, long descriptorBytes, List<Part> parts) {
    this.descriptor = descriptor;
    this.descriptorOffset = descriptorOffset;
    this.descriptorBytes = descriptorBytes;
    this.parts = parts;
    this.length = parts.getLast().start() + parts.getLast().length();
    this.clusterSize = clusterSize(parts);
    this.readOnlyReason = readOnlyReason(parts);
  }

  private static long clusterSize(List<Part> parts) {
    for (Part part : parts) {
      if (part instanceof Sparse sparse) {
        return sparse.extent().header().grainBytes();
      }
    }
    return 512;
  }

  private String readOnlyReason(List<Part> all) {
    for (Part part : all) {
      switch (part) {
        case Flat flat -> {}
        case Zero zero -> {
          return "it has a part of zeroes that cannot be written";
        }
        case Sparse sparse -> {
          SparseHeader header = sparse.extent().header();
          if (header.compressed()) {
            return "its grains are compressed";
          }
          if (header.version() > 2) {
            return "it is of version " + header.version();
          }
          if (header.grainBytes() != clusterSize || sparse.start() % clusterSize != 0) {
            return "its parts have grains of several kinds";
          }
        }
      }
    }
    return null;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public String readOnlyReason() {
    return readOnlyReason;
  }

  @Override
  public long clusterSize() {
    return clusterSize;
  }

  @Override
  public Optional<BackingName> backing() {
    String name = descriptor.values().get("parentfilenamehint");
    return descriptor.parentCid().equals(VmdkDescriptor.NO_PARENT) || name == null
        ? Optional.empty()
        // Only such an image has the number by which this one knows its parent.
        : Optional.of(new BackingName(name, Optional.of("vmdk")));
  }

  @Override
  public void checkBacking(Image below) throws ImageException {
    if (below instanceof VmdkImage parent
        && !descriptor.parentCid().equals(VmdkDescriptor.NO_PARENT)
        && !parent.descriptor.cid().equals(descriptor.parentCid())) {
      throw new ImageException(
          "The backing file has changed since the overlay was made: its CID is %s, not %s"
              .formatted(parent.descriptor.cid(), descriptor.parentCid()));
    }
  }

  private Part part(long offset) {
    int low = 0;
    int high = parts.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) / 2;
      if (parts.get(middle).start() <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return parts.get(low);
  }

  @Override
  public Extent map(ImageIo io, long offset, long bytes) throws ImageException {
    Part part = part(offset);
    long within = offset - part.start();
    long run = Math.min(bytes, part.length() - within);
    return switch (part) {
      case Flat flat -> new Extent.Data(flat.file(), flat.offset() + within, run);
      case Zero zero -> new Extent.Zeroes(run);
      case Sparse sparse -> sparse.extent().map(io, within, run);
    };
  }

  @Override
  public void unpack(ImageIo io, long offset, MemorySegment target) throws ImageException {
    if (part(offset) instanceof Sparse sparse) {
      sparse.extent().unpack(io, offset - sparse.start(), target);
    }
  }

  @Override
  public void check(ImageIo io, CheckTally tally) throws ImageException {
    if (tally.repairs()) {
      throw new ImageException(io.file().name() + ": VMDK images can be checked, but not repaired");
    }
    for (Part part : parts) {
      if (part instanceof Sparse sparse) {
        sparse.extent().check(io, tally);
      }
    }
  }

  @Override
  public ImageDescription describe(ImageIo io) {
    return VmdkReport.of(descriptor, parts, io);
  }

  @Override
  public void beginWrites(ImageIo io) throws ImageException {
    for (Part part : parts) {
      if (part instanceof Sparse sparse) {
        sparse.extent().beginWrites(io);
      }
    }
  }

  /** Overlays of this image go by its CID, and must not any more. */
  @Override
  public void firstChange(ImageIo io) throws ImageException {
    String cid = "%08x".formatted(ThreadLocalRandom.current().nextInt() & 0xffff_fffeL);
    byte[] text = descriptor.withCid(cid).getBytes(ISO_8859_1);
    if (text.length > descriptorBytes) {
      throw new ImageException(io.file().name() + ": there is no room for the descriptor");
    }
    ImageFile file = io.file();
    Fields bytes = Fields.zeroes(text.length, ByteOrder.LITTLE_ENDIAN);
    file.write(descriptorOffset, bytes.put(0, text));
  }

  @Override
  public NewCluster allocate(ImageIo io, long cluster) throws ImageException {
    Sparse sparse = (Sparse) part(cluster);
    return sparse.extent().allocate(io, cluster - sparse.start());
  }

  @Override
  public void link(ImageIo io, long cluster, NewCluster where) throws ImageException {
    Sparse sparse = (Sparse) part(cluster);
    sparse.extent().link(io, cluster - sparse.start(), where);
  }
}
