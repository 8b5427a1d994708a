// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vmdk;

import dev.spindle.block.driver.vmdk.VmdkDescriptor.ExtentLine;
import dev.spindle.block.driver.vmdk.VmdkImage.Flat;
import dev.spindle.block.driver.vmdk.VmdkImage.Part;
import dev.spindle.block.driver.vmdk.VmdkImage.Sparse;
import dev.spindle.block.driver.vmdk.VmdkImage.Zero;
import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageOpening;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * {@code driver=vmdk}: VMware's disk images, in one file with grains, or described by a text that
 * names flat and sparse files in its own folder.
 */
public final class VmdkDriver extends FormatDriver implements ImageProbe {
  private static final Magic SPARSE = Magic.at(0, SparseHeader.MAGIC);
  private static final Pattern DESCRIPTOR =
      Pattern.compile("(?:#[^\n]*\n|[ \r]*\n)*+version=[123]\r?\n");

  private static final Set<String> EMBEDDED = Set.of("monolithicSparse", "streamOptimized");
  private static final Set<String> SEPARATE =
      Set.of("monolithicFlat", "twoGbMaxExtentFlat", "twoGbMaxExtentSparse", "vmfs");

  /** Of a disk, in sectors: 64 TiB. */
  private static final long MOST_SECTORS = 1L << 37;

  /** For ServiceLoader. */
  public VmdkDriver() {
    super("vmdk", true, true);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return VmdkDriver::open;
  }

  private static Image open(ImageOpening opening) throws BlockException, OptionException {
    return SparseHeader.begins(opening.file()) ? embedded(opening.file()) : separate(opening);
  }

  private static Image embedded(ImageFile file) throws ImageException {
    SparseHeader header = SparseHeader.read(file);
    if (header.descriptorOffset() < SparseHeader.BYTES
        || header.descriptorBytes() == 0
        || header.capacity() == 0) {
      throw new ImageException(
          file.name() + " is a part of a VMDK image: the file with the descriptor is to be opened");
    }
    VmdkDescriptor descriptor =
        descriptor(file, header.descriptorOffset(), header.descriptorBytes());
    String type = descriptor.createType(file);
    if (!EMBEDDED.contains(type)) {
      throw unsupported(file, type);
    }
    Part part = new Sparse(0, header.capacity(), new SparseExtent(0, header));
    return new VmdkImage(
        descriptor, header.descriptorOffset(), header.descriptorBytes(), List.of(part));
  }

  private static ImageException unsupported(ImageFile file, String type) {
    return new ImageException(
        "%s: VMDK images of type '%s' are not supported".formatted(file.name(), type));
  }

  private static VmdkDescriptor descriptor(ImageFile file, long offset, long room)
      throws ImageException {
    int bytes = (int) Math.min(room, VmdkDescriptor.MOST_BYTES);
    String text = file.read(offset, bytes, ByteOrder.LITTLE_ENDIAN).text(0, bytes);
    if (!text.contains(VmdkDescriptor.FIRST_LINE)) {
      throw new ImageException(file.name() + " is not a VMDK image: there is no descriptor");
    }
    return VmdkDescriptor.parse(file, text);
  }

  private static Image separate(ImageOpening opening) throws BlockException, OptionException {
    ImageFile file = opening.file();
    if (file.length() > VmdkDescriptor.MOST_BYTES) {
      throw new ImageException(
          "%s is not a VMDK image: it begins as none, and is too long for a descriptor"
              .formatted(file.name()));
    }
    VmdkDescriptor descriptor = descriptor(file, 0, file.length());
    String type = descriptor.createType(file);
    if (!SEPARATE.contains(type)) {
      throw unsupported(file, type);
    }
    List<Part> parts = new ArrayList<>();
    long start = 0;
    for (ExtentLine line : descriptor.extents()) {
      if (line.sectors() == 0 || line.sectors() > MOST_SECTORS - start / 512) {
        throw new ImageException(
            "%s: an extent cannot have %d sectors".formatted(file.name(), line.sectors()));
      }
      parts.add(part(opening, line, start, parts.size()));
      start += line.sectors() * 512;
    }
    if (parts.isEmpty()) {
      throw new ImageException(file.name() + ": the descriptor names no extents");
    }
    return new VmdkImage(descriptor, 0, VmdkDescriptor.MOST_BYTES, List.copyOf(parts));
  }

  private static Part part(ImageOpening opening, ExtentLine line, long start, int number)
      throws BlockException, OptionException {
    if (!line.access().equals("RW")) {
      throw new ImageException(
          "%s: extents with access '%s' are not supported"
              .formatted(opening.file().name(), line.access()));
    }
    long bytes = line.sectors() * 512;
    return switch (line.type()) {
      case "ZERO" -> new Zero(start, bytes);
      case "FLAT", "VMFS" -> {
        int index = opening.openFile("extents." + number, line.file());
        long offset = line.offset() * 512;
        checkLength(opening.io().file(index), line.offset(), bytes);
        yield new Flat(start, bytes, index, offset);
      }
      case "SPARSE" -> {
        int index = opening.openFile("extents." + number, line.file());
        SparseHeader header = SparseHeader.read(opening.io().file(index));
        if (header.capacity() < bytes) {
          throw new ImageException(
              "%s holds %d bytes instead of %d"
                  .formatted(opening.io().file(index).name(), header.capacity(), bytes));
        }
        yield new Sparse(start, bytes, new SparseExtent(index, header));
      }
      default ->
          throw new ImageException(
              "%s: extents of type '%s' are not supported"
                  .formatted(opening.file().name(), line.type()));
    };
  }

  private static void checkLength(ImageFile file, long sector, long bytes) throws ImageException {
    if (sector > MOST_SECTORS || bytes > file.length() - sector * 512) {
      throw new ImageException(
          "%s has %d bytes, too few for an extent of %d from sector %d on"
              .formatted(file.name(), file.length(), bytes, sector));
    }
  }

  @Override
  protected boolean isChecked() {
    return true;
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    if (SPARSE.isIn(head)) {
      return 100;
    }
    String text = StandardCharsets.ISO_8859_1.decode(head.asReadOnly().asByteBuffer()).toString();
    return DESCRIPTOR.matcher(text).lookingAt() ? 100 : 0;
  }
}
