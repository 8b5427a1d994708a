// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vmdk;

import dev.spindle.block.driver.vmdk.VmdkImage.Flat;
import dev.spindle.block.driver.vmdk.VmdkImage.Part;
import dev.spindle.block.driver.vmdk.VmdkImage.Sparse;
import dev.spindle.block.driver.vmdk.VmdkImage.Zero;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.image.ImageDescription;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Says of an image what {@code img info} tells: QAPI's ImageInfoSpecificVmdk. */
final class VmdkReport {
  private VmdkReport() {}

  static ImageDescription of(VmdkDescriptor descriptor, List<Part> parts, ImageIo io) {
    Map<String, Object> words = new LinkedHashMap<>();
    words.put("cid", Long.parseLong(descriptor.cid(), 16));
    words.put("parent-cid", Long.parseLong(descriptor.parentCid(), 16));
    words.put("create-type", descriptor.values().getOrDefault("createtype", ""));
    List<Map<String, Object>> extents = new ArrayList<>();
    for (Part part : parts) {
      extents.add(extent(part, io));
    }
    words.put("extents", extents);
    return new ImageDescription(
        parts.getFirst() instanceof Sparse sparse
            ? OptionalInt.of(Math.toIntExact(sparse.extent().header().grainBytes()))
            : OptionalInt.empty(),
        false,
        false,
        false,
        descriptor.parentCid().equals(VmdkDescriptor.NO_PARENT)
            ? Optional.empty()
            : Optional.ofNullable(descriptor.values().get("parentfilenamehint")),
        Optional.empty(),
        List.of(),
        words);
  }

  private static Map<String, Object> extent(Part part, ImageIo io) {
    Map<String, Object> words = new LinkedHashMap<>();
    switch (part) {
      case Flat flat -> {
        put(words, part, io.file(flat.file()));
        words.put("format", "FLAT");
      }
      case Zero zero -> {
        words.put("virtual-size", zero.length());
        words.put("format", "ZERO");
      }
      case Sparse sparse -> {
        SparseHeader header = sparse.extent().header();
        if (header.compressed()) {
          words.put("compressed", true);
        }
        put(words, part, io.file(sparse.extent().index()));
        words.put("cluster-size", header.grainBytes());
        words.put("format", sparse.extent().index() == 0 ? "" : "SPARSE");
      }
    }
    return words;
  }

  private static void put(Map<String, Object> words, Part part, ImageFile file) {
    words.put("virtual-size", part.length());
    words.put("filename", file.path().map(Path::toString).orElse(file.name()));
  }
}
