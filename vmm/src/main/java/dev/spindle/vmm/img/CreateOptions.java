// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import static dev.spindle.block.image.CreateOption.Kind.BOOL;
import static dev.spindle.block.image.CreateOption.Kind.NUMBER;
import static dev.spindle.block.image.CreateOption.Kind.SIZE;
import static dev.spindle.block.image.CreateOption.Kind.TEXT;

import dev.spindle.block.image.CreateOption;
import dev.spindle.vmm.tool.ByteCount;
import java.util.List;
import java.util.Map;

/**
 * The options of new images that {@code -o} takes, format by format, in the order in which {@code
 * create} tells of them.
 */
final class CreateOptions {
  private static final CreateOption LENGTH =
      CreateOption.of("size", SIZE, "bytes that the image shows");

  private static final List<CreateOption> FILE =
      List.of(
          LENGTH,
          CreateOption.of(
              "preallocation", TEXT, "space taken at once: off, falloc (asked for), full"));

  private static final Map<String, List<CreateOption>> FORMATS =
      Map.of(
          "file", FILE,
          "parallels", parallels(),
          "qcow2", qcow2(),
          "raw", FILE,
          "vdi", vdi(),
          "vhdx", vhdx(),
          "vmdk", vmdk(),
          "vpc", vpc());

  private CreateOptions() {}

  /** Those of a format; none if it has none, as it can only be read. */
  static List<CreateOption> of(String format) {
    return FORMATS.getOrDefault(format, List.of());
  }

  private static List<CreateOption> qcow2() {
    return List.of(
        CreateOption.of("cluster_size", SIZE, "bytes in a cluster: 512 to 2M").otherwise("65536"),
        CreateOption.of("extended_l2", BOOL, "clusters of 32 subclusters").otherwise("off"),
        CreateOption.of("preallocation", TEXT, "space taken at once: off, metadata, falloc, full"),
        CreateOption.of("compression_type", TEXT, "of compressed clusters: zlib, zstd")
            .otherwise("zlib"),
        LENGTH,
        CreateOption.of("compat", TEXT, "version of the format: v2 (0.10), v3 (1.1)")
            .words(value -> Map.of("version", version(value))),
        CreateOption.of("backing_file", TEXT, "image that holds what this one does not"),
        CreateOption.of("backing_fmt", TEXT, "the format of that image"),
        CreateOption.of("lazy_refcounts", BOOL, "reference counts may be wrong after a crash")
            .otherwise("off"),
        CreateOption.of("refcount_bits", NUMBER, "bits of a reference count: 1 to 64")
            .otherwise("16"));
  }

  /** By the version of QEMU that first knew it. */
  private static String version(String value) {
    return switch (value) {
      case "0.10" -> "v2";
      case "1.1" -> "v3";
      default -> value;
    };
  }

  private static List<CreateOption> vdi() {
    return List.of(
        LENGTH,
        CreateOption.of("static", BOOL, "space for all blocks is taken at once")
            .otherwise("off")
            .words(value -> value.equals("on") ? Map.of("preallocation", "metadata") : Map.of()));
  }

  private static List<CreateOption> vpc() {
    return List.of(
        LENGTH,
        CreateOption.of("subformat", TEXT, "dynamic or fixed"),
        CreateOption.of("force_size", BOOL, "the size is kept, whatever disk geometry it makes"));
  }

  private static List<CreateOption> vhdx() {
    return List.of(
        LENGTH,
        only("log_size", SIZE, "bytes of the log: 1M", "1048576").otherwise("1048576"),
        CreateOption.of("block_size", SIZE, "bytes in a block: 1M to 256M, or 0 for what is usual")
            .otherwise("0")
            .words(value -> ByteCount.parse(value) == 0 ? Map.of() : Map.of("block-size", value)),
        CreateOption.of("subformat", TEXT, "dynamic or fixed"));
  }

  private static List<CreateOption> vmdk() {
    return List.of(
        LENGTH,
        only("compat6", BOOL, "version 6 of the format: off", "off").otherwise("off"),
        only("hwversion", TEXT, "of virtual hardware: undefined", "undefined")
            .otherwise("undefined"),
        CreateOption.of("subformat", TEXT, "monolithicSparse"),
        CreateOption.of("zeroed_grain", BOOL, "zeroes may be kept as a mark alone"));
  }

  private static List<CreateOption> parallels() {
    return List.of(
        LENGTH, CreateOption.of("cluster_size", SIZE, "bytes in a cluster").otherwise("1048576"));
  }

  /** One that has a single value, which need not be said. */
  private static CreateOption only(
      String name, CreateOption.Kind kind, String help, String single) {
    return CreateOption.of(name, kind, help)
        .words(
            value ->
                value.equals(single) || Long.toString(ByteCount.parse(value)).equals(single)
                    ? Map.of()
                    : Map.of(name.replace('_', '-'), value));
  }
}
