// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.crypto.NewLuks;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.CreateOption.Kind;
import dev.spindle.block.image.MeasuredSource;
import dev.spindle.block.image.Measurement;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/** Makes qcow2 images, as QAPI's BlockdevCreateOptionsQcow2 describes them. */
public final class Qcow2Creator implements ImageCreator {
  /**
   * The name of the data file, which is there. QAPI's {@code data-file} is a node instead, which
   * creation does not take.
   */
  private static final String DATA_FILE = "x-spindle-data-file";

  private static final List<CreateOption> OTHERS =
      List.of(
          CreateOption.of("cluster_size", Kind.SIZE, "bytes in a cluster: 512 to 2M")
              .otherwise("65536"),
          CreateOption.of("extended_l2", Kind.BOOL, "clusters of 32 subclusters").otherwise("off"),
          CreateOption.of(
              "preallocation", Kind.TEXT, "space taken at once: off, metadata, falloc, full"),
          CreateOption.of("compression_type", Kind.TEXT, "of compressed clusters: zlib, zstd")
              .otherwise("zlib"),
          CreateOption.size(),
          CreateOption.of("compat", Kind.TEXT, "version of the format: v2 (0.10), v3 (1.1)")
              .words(value -> Map.of("version", version(value))),
          CreateOption.of("backing_file", Kind.TEXT, "image that holds what this one does not"),
          CreateOption.of("backing_fmt", Kind.TEXT, "the format of that image"),
          CreateOption.of("data_file", Kind.TEXT, "another file, for the data")
              .words(value -> Map.of(DATA_FILE, value)),
          CreateOption.of("data_file_raw", Kind.BOOL, "that file is to be a raw image of its own"),
          CreateOption.of(
                  "lazy_refcounts", Kind.BOOL, "reference counts may be wrong after a crash")
              .otherwise("off"),
          CreateOption.of("refcount_bits", Kind.NUMBER, "bits of a reference count: 1 to 64")
              .otherwise("16"));

  @Override
  public String driver() {
    return "qcow2";
  }

  @Override
  public List<CreateOption> toolOptions() {
    List<CreateOption> options = new ArrayList<>();
    options.add(
        CreateOption.of("encryption", Kind.BOOL, "the same as encrypt.format=aes")
            .words(value -> value.equals("on") ? Map.of("encrypt.format", "aes") : Map.of()));
    options.add(CreateOption.of("encrypt.format", Kind.TEXT, "how the data are encrypted: luks"));
    options.addAll(NewLuks.toolOptions(EncryptOption.NAME + "."));
    options.addAll(OTHERS);
    return options;
  }

  /** By the version of QEMU that first knew it. */
  private static String version(String value) {
    return switch (value) {
      case "0.10" -> "v2";
      case "1.1" -> "v3";
      default -> value;
    };
  }

  /** What options ask for. */
  private record Wanted(
      dev.spindle.block.driver.qcow2.NewImage image,
      Preallocation preallocation,
      Optional<NewEncryption> encryption) {}

  @Override
  public NewImage read(Options options) throws OptionException {
    Wanted wanted = wanted(options);
    var image = wanted.image;
    if (image.backingName().isPresent() != image.backingFormat().isPresent()) {
      throw new OptionException(
          options.owner() + ": 'backing-file' and 'backing-fmt' are given together or not at all");
    }
    if (image.backingName().isPresent() && wanted.preallocation != Preallocation.OFF) {
      throw new OptionException(
          options.owner() + ": a backing file and preallocation do not go together");
    }
    try {
      image.check();
    } catch (Qcow2Exception e) {
      throw new OptionException(options.owner() + ": " + e.getMessage());
    }
    boolean encrypted = wanted.encryption.isPresent();
    if (image.version() == 2 && encrypted && wanted.preallocation != Preallocation.OFF) {
      throw new OptionException(
          options.owner() + ": encryption and preallocation go together only with version=v3");
    }
    return (file, objects) -> {
      Storage storage = new LaneStorage(file, new ReentrantLock(), null);
      if (encrypted) {
        image.write(storage, wanted.encryption.get().writer(file, objects));
      } else {
        image.write(storage);
      }
      if (image.dataFile().isEmpty()) {
        preallocate(storage, wanted.preallocation);
      } else if (image.rawDataFile() || wanted.preallocation != Preallocation.OFF) {
        preallocateExternal(storage);
      }
    };
  }

  @Override
  public Measurement measure(Options options, Optional<MeasuredSource> source)
      throws OptionException, BlockException {
    Wanted wanted = wanted(options);
    return new ImageMeasure(wanted.image).measure(wanted.preallocation, source);
  }

  private static Wanted wanted(Options options) throws OptionException {
    long size = ImageCreator.takeSize(options);
    long cluster = options.size("cluster-size", 1 << 16);
    long refcountBits = options.number("refcount-bits", 16, 1, 64);
    int version = options.choice("version", "v3", "v2", "v3").equals("v2") ? 2 : 3;
    boolean lazy = options.bool("lazy-refcounts", false);
    boolean extended = options.bool("extended-l2", false);
    boolean zstd = options.choice("compression-type", "zlib", "zlib", "zstd").equals("zstd");
    Preallocation preallocation =
        Preallocation.valueOf(
            options
                .choice("preallocation", "off", "off", "metadata", "falloc", "full")
                .toUpperCase(Locale.ROOT));
    Optional<NewEncryption> encryption = NewEncryption.take(options);
    Optional<String> dataFile = options.string(DATA_FILE);
    boolean raw = options.bool("data-file-raw", false);
    Optional<String> backing = options.string("backing-file");
    Optional<String> backingFormat = options.string("backing-fmt");
    var image =
        new dev.spindle.block.driver.qcow2.NewImage(
            size,
            cluster > Integer.MAX_VALUE ? Integer.MAX_VALUE : (int) cluster,
            (int) refcountBits,
            version,
            lazy,
            extended,
            zstd,
            backing,
            backingFormat,
            dataFile,
            raw,
            encryption.map(NewEncryption::bytes).orElse(0L));
    return new Wanted(image, preallocation, encryption);
  }

  /** The other file is there, with as much space as is wanted. */
  private static void preallocateExternal(Storage storage) throws Qcow2Exception {
    Qcow2Io io = new Qcow2Io(storage, storage, null, true);
    Qcow2Image made = Qcow2Image.open(words -> {}, storage, Qcow2Options.DEFAULT, true);
    new ClusterReservation(made, io, Preallocation.METADATA).takeZeroes();
    made.settle(io);
  }

  private static void preallocate(Storage storage, Preallocation preallocation)
      throws Qcow2Exception {
    if (preallocation != Preallocation.OFF) {
      Qcow2Io io = new Qcow2Io(storage, storage, null);
      Qcow2Image made = Qcow2Image.open(words -> {}, storage, Qcow2Options.DEFAULT, true);
      new ClusterReservation(made, io, preallocation).take(0, made.length());
      made.settle(io);
    }
  }
}
