// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An image to be made, which holds nothing.
 *
 * @param size what the guest will see, bytes, a multiple of 512
 * @param clusterSize bytes, a power of two from 512 to 2 MiB
 * @param refcountBits a power of two from 1 to 64
 * @param version 2 or 3
 * @param lazyRefcounts whether refcounts may be written late
 * @param extended whether clusters have subclusters
 * @param zstd whether compressed clusters are for zstd rather than deflate
 * @param backingName empty without a backing file
 * @param backingFormat that file's driver
 * @param dataFile the name of the file with the guest's clusters, if there is one
 * @param rawDataFile whether that is to be a raw image of its own
 * @param encryptionBytes what the LUKS header takes; 0 if the image is not to be encrypted
 */
record NewImage(
    long size,
    int clusterSize,
    int refcountBits,
    int version,
    boolean lazyRefcounts,
    boolean extended,
    boolean zstd,
    Optional<String> backingName,
    Optional<String> backingFormat,
    Optional<String> dataFile,
    boolean rawDataFile,
    long encryptionBytes) {
  private static final String NEEDS_V3 =
      " with compatibility level 1.1 and above (use version=v3 or greater)";

  /** One with the usual choices. */
  static NewImage of(long size) {
    return new NewImage(
        size,
        1 << 16,
        16,
        3,
        false,
        false,
        false,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        false,
        0);
  }

  /** Writes the LUKS header. */
  @FunctionalInterface
  interface KeyWriter {
    /** Writes it to a place in the file that reads as zeroes, bytes. */
    void write(long offset) throws Qcow2Exception;
  }

  /** Refuses what does not go together; returns this. */
  NewImage check() throws Qcow2Exception {
    if (Integer.bitCount(clusterSize) != 1 || clusterSize < 512 || clusterSize > 2 << 20) {
      throw refusal("Cluster size must be a power of two between 512 and 2048k");
    }
    if (refcountBits < 1 || refcountBits > 64 || Integer.bitCount(refcountBits) != 1) {
      throw refusal("Refcount width must be a power of two and may not exceed 64 bits");
    }
    if (version < 3) {
      checkVersion2();
    }
    if (extended && clusterSize < 1 << Geometry.LEAST_EXTENDED_CLUSTER_BITS) {
      throw refusal(
          "Extended L2 entries are only supported with cluster sizes of at least 16384 bytes");
    }
    if (rawDataFile && dataFile.isEmpty()) {
      throw refusal("data-file-raw requires data-file");
    }
    if (rawDataFile && backingName.isPresent()) {
      throw refusal("Backing file and data-file-raw cannot be used at the same time");
    }
    if (size < 0 || 8 * geometry().l1Entries(size) > Geometry.MOST_L1) {
      throw new Qcow2Exception(
          Errno.EFBIG,
          "The image size is too large for file format 'qcow2' (try using a larger cluster size)");
    }
    return this;
  }

  private void checkVersion2() throws Qcow2Exception {
    if (refcountBits != 16) {
      throw refusal(
          "Different refcount widths than 16 bits require compatibility level 1.1 or above (use"
              + " version=v3 or greater)");
    }
    if (lazyRefcounts) {
      throw refusal("Lazy refcounts only supported" + NEEDS_V3);
    }
    if (extended) {
      throw refusal("Extended L2 entries are only supported" + NEEDS_V3);
    }
    if (zstd) {
      throw refusal("Non-zlib compression type is only supported" + NEEDS_V3);
    }
    if (dataFile.isPresent()) {
      throw refusal("External data files are only supported" + NEEDS_V3);
    }
  }

  private static Qcow2Exception refusal(String words) {
    return new Qcow2Exception(Errno.EINVAL, words);
  }

  Geometry geometry() {
    return new Geometry(
        Integer.numberOfTrailingZeros(clusterSize),
        Integer.numberOfTrailingZeros(refcountBits),
        extended,
        version);
  }

  /**
   * Makes it in place of all that a file holds. The header comes last: until then it is no image.
   *
   * @param file takes writes past its end
   */
  void write(Storage file) throws Qcow2Exception {
    write(file, offset -> {});
  }

  /** As {@link #write(Storage)}, of an image that may be encrypted. */
  void write(Storage file, KeyWriter keys) throws Qcow2Exception {
    check();
    Geometry geometry = geometry();
    int l1Size = (int) geometry.l1Entries(size);
    long l1Clusters = geometry.clusters(8L * l1Size);
    long keyClusters = geometry.clusters(encryptionBytes);
    long blocks = 1;
    long tableClusters = 1;
    while (true) {
      long all = 1 + tableClusters + blocks + l1Clusters + keyClusters;
      long needed =
          (all + (1L << geometry.refcountBlockBits()) - 1) >>> geometry.refcountBlockBits();
      if (needed <= blocks) {
        break;
      }
      blocks = needed;
      tableClusters = geometry.clusters(8 * blocks);
    }
    long used = 1 + tableClusters + blocks + l1Clusters + keyClusters;
    file.resize(0);
    file.resize(used << geometry.clusterBits());
    long[] table = new long[(int) (tableClusters << (geometry.clusterBits() - 3))];
    for (int i = 0; i < blocks; i++) {
      byte[] block = new byte[clusterSize];
      long first = (long) i << geometry.refcountBlockBits();
      for (long j = first; j < used && j < first + (1L << geometry.refcountBlockBits()); j++) {
        RefcountPages.put(block, (int) (j - first), geometry.refcountOrder(), 1);
      }
      table[i] = (1 + tableClusters + i) << geometry.clusterBits();
      Bytes.write(file, table[i], block);
    }
    Bytes.write(file, clusterSize, Bytes.ofLongs(table, 0, table.length));
    long l1Offset = (1 + tableClusters + blocks) << geometry.clusterBits();
    Optional<EncryptionHeader> encryption = Optional.empty();
    if (encryptionBytes > 0) {
      long offset = (used - keyClusters) << geometry.clusterBits();
      keys.write(offset);
      encryption = Optional.of(new EncryptionHeader(offset, encryptionBytes));
    }
    file.flush();
    Bytes.write(file, 0, header(l1Size, l1Offset, (int) tableClusters, encryption).encode());
    file.flush();
  }

  private Qcow2Header header(
      int l1Size, long l1Offset, int tableClusters, Optional<EncryptionHeader> encryption) {
    long incompatible =
        (dataFile.isPresent() ? Features.DATA_FILE : 0)
            | (zstd ? Features.COMPRESSION_TYPE : 0)
            | (extended ? Features.EXTENDED_L2 : 0);
    List<HeaderExtension> extensions = new ArrayList<>();
    if (backingName.isPresent()) {
      backingFormat.ifPresent(
          format -> extensions.add(HeaderExtension.of(HeaderExtension.BACKING_FORMAT, format)));
    }
    dataFile.ifPresent(name -> extensions.add(HeaderExtension.of(HeaderExtension.DATA_FILE, name)));
    encryption.ifPresent(keys -> extensions.add(keys.extension()));
    if (version >= 3) {
      extensions.add(HeaderExtension.featureNames());
    }
    return new Qcow2Header(
            version,
            Integer.numberOfTrailingZeros(clusterSize),
            size,
            l1Size,
            l1Size == 0 ? 0 : l1Offset,
            encryption,
            clusterSize,
            tableClusters,
            0,
            0,
            incompatible,
            lazyRefcounts ? Features.LAZY_REFCOUNTS : 0,
            rawDataFile ? Features.RAW_DATA_FILE : 0,
            Integer.numberOfTrailingZeros(refcountBits),
            zstd ? 1 : 0,
            new byte[0],
            extensions,
            backingName)
        .fitting();
  }
}
