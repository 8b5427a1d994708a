// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.linux.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The header of an image, of version 2 or 3, with its extensions. All that {@link #read} returns
 * has been checked, on its own and against the geometry that follows from it.
 *
 * @param version 2 or 3
 * @param clusterBits from 9 to 21
 * @param size what the guest sees, in bytes
 * @param l1Size entries
 * @param l1Offset in bytes
 * @param encryption where the LUKS header is; empty if the image is not encrypted
 * @param refcountTableOffset in bytes
 * @param refcountTableClusters clusters
 * @param snapshotCount of internal snapshots
 * @param snapshotsOffset in bytes
 * @param incompatible {@link Features} bits; 0 in version 2, as those that follow
 * @param refcountOrder logarithm of the bits of a refcount; 4 in version 2
 * @param compressionType 0 for deflate, 1 for zstd
 * @param moreFields what follows the known fields in the header; kept
 * @param backingName as the image has it
 */
record Qcow2Header(
    int version,
    int clusterBits,
    long size,
    int l1Size,
    long l1Offset,
    Optional<EncryptionHeader> encryption,
    long refcountTableOffset,
    int refcountTableClusters,
    int snapshotCount,
    long snapshotsOffset,
    long incompatible,
    long compatible,
    long autoclear,
    int refcountOrder,
    int compressionType,
    byte[] moreFields,
    List<HeaderExtension> extensions,
    Optional<String> backingName) {
  static final int MAGIC = 'Q' << 24 | 'F' << 16 | 'I' << 8 | 0xfb;

  /** Every header begins in the first this many bytes. */
  static final int LEAST = 512;

  private static final int V2_LENGTH = 72;
  private static final int V3_LENGTH = 104;

  /** As new images have it, compression type and padding included. */
  private static final int NEW_LENGTH = 112;

  private static final int MOST_BACKING_NAME = 1023;

  /** What ends the extensions, bytes. */
  private static final int END = 8;

  /** The encryption method; 0 for none. */
  private static final int LUKS = 2;

  /**
   * Reads the header of an image.
   *
   * @throws Qcow2Exception if it is none, or says what cannot be or is not known
   */
  static Qcow2Header read(Storage file) throws Qcow2Exception {
    ByteBuffer head = ByteBuffer.wrap(Bytes.read(file, 0, LEAST));
    if (head.getInt(0) != MAGIC) {
      throw new Qcow2Exception(Errno.EINVAL, "Image is not in qcow2 format");
    }
    int version = head.getInt(4);
    if (version != 2 && version != 3) {
      throw new Qcow2Exception(
          Errno.EOPNOTSUPP, "Unsupported qcow2 version " + Integer.toUnsignedString(version));
    }
    int clusterBits = head.getInt(20);
    if (clusterBits < Geometry.LEAST_CLUSTER_BITS || clusterBits > Geometry.MOST_CLUSTER_BITS) {
      throw new Qcow2Exception(
          Errno.EINVAL, "Unsupported cluster size: 2^" + Integer.toUnsignedString(clusterBits));
    }
    int clusterSize = 1 << clusterBits;
    int length = version == 2 ? V2_LENGTH : head.getInt(100);
    if (version == 3
        && length >= 0
        && (length < V3_LENGTH || (length % 8 != 0 && length <= clusterSize))) {
      throw new Qcow2Exception(Errno.EINVAL, "qcow2 header too short");
    }
    if (length < 0 || length > clusterSize) {
      throw new Qcow2Exception(Errno.EINVAL, "qcow2 header exceeds cluster size");
    }
    ByteBuffer all = ByteBuffer.wrap(Bytes.read(file, 0, clusterSize));
    Qcow2Header header = parse(all, version, clusterBits, length);
    Geometry.of(header).check(header);
    return header;
  }

  private static Qcow2Header parse(ByteBuffer all, int version, int clusterBits, int length)
      throws Qcow2Exception {
    long backingOffset = all.getLong(8);
    int extensionsEnd = all.capacity();
    if (backingOffset < 0 || backingOffset > all.capacity()) {
      throw new Qcow2Exception(Errno.EINVAL, "Invalid backing file offset");
    }
    if (backingOffset > 0) {
      extensionsEnd = (int) backingOffset;
    }
    if (extensionsEnd < length) {
      throw new Qcow2Exception(Errno.EINVAL, "Invalid backing file offset");
    }
    long incompatible = version == 2 ? 0 : all.getLong(72);
    ByteBuffer area = all.duplicate().position(length).limit(extensionsEnd);
    List<HeaderExtension> extensions;
    long unknown = incompatible & ~Features.KNOWN_INCOMPATIBLE;
    try {
      extensions = HeaderExtension.readAll(area);
    } catch (Qcow2Exception e) {
      if (unknown == 0) {
        throw e;
      }
      extensions = List.of();
    }
    if (unknown != 0) {
      throw new Qcow2Exception(
          Errno.EOPNOTSUPP,
          "Unsupported qcow2 feature(s): "
              + String.join(", ", HeaderExtension.incompatibleNames(extensions, unknown)));
    }
    byte[] more = new byte[Math.max(0, length - NEW_LENGTH)];
    all.get(Math.min(NEW_LENGTH, all.capacity()), more);
    return new Qcow2Header(
        version,
        clusterBits,
        all.getLong(24),
        checkCount(all.getInt(36), "Active L1 table too large"),
        all.getLong(40),
        encryption(all.getInt(32), extensions, clusterBits),
        all.getLong(48),
        checkCount(all.getInt(56), "Reference count table too large"),
        checkCount(all.getInt(60), "Snapshot table too large"),
        all.getLong(64),
        incompatible,
        version == 2 ? 0 : all.getLong(80),
        version == 2 ? 0 : all.getLong(88),
        version == 2 ? 4 : refcountOrder(all.getInt(96)),
        compressionType(length > V3_LENGTH ? all.get(V3_LENGTH) & 0xff : 0, incompatible),
        more,
        extensions,
        backingName(all, (int) backingOffset, all.getInt(16)));
  }

  private static Optional<EncryptionHeader> encryption(
      int method, List<HeaderExtension> extensions, int clusterBits) throws Qcow2Exception {
    Optional<HeaderExtension> pointer =
        HeaderExtension.find(extensions, HeaderExtension.ENCRYPTION);
    return switch (method) {
      case 0 -> {
        if (pointer.isPresent()) {
          throw new Qcow2Exception(
              Errno.EINVAL,
              "The image has an encryption header, and says that it is not encrypted");
        }
        yield Optional.empty();
      }
      case 1 ->
          throw new Qcow2Exception(
              Errno.EOPNOTSUPP, "The image is encrypted with AES-CBC, which is not supported");
      case LUKS -> {
        if (pointer.isEmpty()) {
          throw new Qcow2Exception(
              Errno.EINVAL, "The image is encrypted with LUKS, and has no encryption header");
        }
        yield Optional.of(EncryptionHeader.read(pointer.get(), clusterBits));
      }
      default ->
          throw new Qcow2Exception(
              Errno.EINVAL, "Unsupported encryption method " + Integer.toUnsignedString(method));
    };
  }

  private static int checkCount(int value, String refusal) throws Qcow2Exception {
    if (value < 0) {
      throw new Qcow2Exception(Errno.EFBIG, refusal);
    }
    return value;
  }

  private static int refcountOrder(int value) throws Qcow2Exception {
    if (value < 0 || value > 6) {
      throw new Qcow2Exception(
          Errno.EINVAL, "Reference count entry width too large; may not exceed 64 bits");
    }
    return value;
  }

  private static int compressionType(int value, long incompatible) throws Qcow2Exception {
    boolean flagged = (incompatible & Features.COMPRESSION_TYPE) != 0;
    if (value == 0 && flagged) {
      throw new Qcow2Exception(
          Errno.EINVAL,
          "Compression type incompatible feature bit must not be set with compression type 0");
    }
    if (value != 0 && !flagged) {
      throw new Qcow2Exception(
          Errno.EINVAL, "Compression type incompatible feature bit must be set");
    }
    if (value > 1) {
      throw new Qcow2Exception(Errno.EOPNOTSUPP, "Unknown compression type " + value);
    }
    return value;
  }

  private static Optional<String> backingName(ByteBuffer all, int offset, int length)
      throws Qcow2Exception {
    if (offset == 0) {
      return Optional.empty();
    }
    if (length < 0 || length > Math.min(MOST_BACKING_NAME, all.capacity() - offset)) {
      throw new Qcow2Exception(Errno.EINVAL, "Backing file name too long");
    }
    byte[] name = new byte[length];
    all.get(offset, name);
    return Optional.of(new String(name, UTF_8)).filter(text -> !text.isEmpty());
  }

  /** Whether all bits of a mask are set among the incompatible ones. */
  boolean has(long incompatibleBits) {
    return (incompatible & incompatibleBits) == incompatibleBits;
  }

  /** The text of an extension. */
  Optional<String> text(int extensionType) {
    return HeaderExtension.find(extensions, extensionType).map(HeaderExtension::text);
  }

  private int fieldsLength() {
    return version == 2 ? V2_LENGTH : NEW_LENGTH + moreFields.length;
  }

  private int encodedLength() {
    int extensionBytes = extensions.stream().mapToInt(HeaderExtension::size).sum() + END;
    return fieldsLength() + extensionBytes + backingName.orElse("").getBytes(UTF_8).length;
  }

  /**
   * The first cluster's contents, as far as the header fills it.
   *
   * @throws Qcow2Exception if it does not fit
   */
  byte[] encode() throws Qcow2Exception {
    byte[] name = backingName.orElse("").getBytes(UTF_8);
    int length = fieldsLength();
    int end = encodedLength();
    if (end > 1 << clusterBits) {
      throw new Qcow2Exception(
          Errno.ENOSPC,
          "The header, with the backing file's name, does not fit into a cluster of %d bytes"
              .formatted(1 << clusterBits));
    }
    if (name.length > MOST_BACKING_NAME) {
      throw new Qcow2Exception(Errno.EINVAL, "Backing file name too long");
    }
    ByteBuffer out = ByteBuffer.allocate(end);
    out.putInt(MAGIC).putInt(version);
    out.putLong(name.length == 0 ? 0 : end - name.length).putInt(name.length);
    out.putInt(clusterBits).putLong(size).putInt(encryption.isPresent() ? LUKS : 0);
    out.putInt(l1Size).putLong(l1Offset);
    out.putLong(refcountTableOffset).putInt(refcountTableClusters);
    out.putInt(snapshotCount).putLong(snapshotsOffset);
    if (version == 3) {
      out.putLong(incompatible).putLong(compatible).putLong(autoclear);
      out.putInt(refcountOrder).putInt(length);
      out.put((byte) compressionType).put(new byte[7]).put(moreFields);
    }
    extensions.forEach(extension -> extension.put(out));
    out.putLong(0);
    out.put(name);
    return out.array();
  }

  /** What a header that is made from another may have otherwise. */
  private final class Draft {
    private int newVersion = version;
    private long newCompatible = compatible;
    private byte[] newMoreFields = moreFields;
    private long newSize = size;
    private int newL1Size = l1Size;
    private long newL1Offset = l1Offset;
    private long newRefcountTableOffset = refcountTableOffset;
    private int newRefcountTableClusters = refcountTableClusters;
    private int newSnapshotCount = snapshotCount;
    private long newSnapshotsOffset = snapshotsOffset;
    private long newIncompatible = incompatible;
    private long newAutoclear = autoclear;
    private List<HeaderExtension> newExtensions = extensions;
    private Optional<String> newBackingName = backingName;

    Qcow2Header finished() {
      return new Qcow2Header(
          newVersion,
          clusterBits,
          newSize,
          newL1Size,
          newL1Offset,
          encryption,
          newRefcountTableOffset,
          newRefcountTableClusters,
          newSnapshotCount,
          newSnapshotsOffset,
          newIncompatible,
          newCompatible,
          newAutoclear,
          refcountOrder,
          compressionType,
          newMoreFields,
          newExtensions,
          newBackingName);
    }
  }

  private Qcow2Header with(Consumer<Draft> changes) {
    Draft draft = new Draft();
    changes.accept(draft);
    return draft.finished();
  }

  /**
   * Of a version, which has all features that this one has but the compatible ones.
   *
   * @param newVersion 2 or 3
   */
  Qcow2Header withVersion(int newVersion, long newCompatible) {
    List<HeaderExtension> next = new ArrayList<>(extensions);
    boolean named = next.stream().anyMatch(one -> one.type() == HeaderExtension.FEATURE_NAMES);
    if (newVersion < 3) {
      next.removeIf(one -> one.type() == HeaderExtension.FEATURE_NAMES);
    } else if (!named) {
      next.add(HeaderExtension.featureNames());
    }
    return with(draft -> {
          draft.newVersion = newVersion;
          draft.newCompatible = newCompatible;
          draft.newExtensions = next;
          if (newVersion < 3) {
            draft.newAutoclear = 0;
            draft.newMoreFields = new byte[0];
          }
        })
        .fitting();
  }

  Qcow2Header withFeatures(long newIncompatible, long newAutoclear) {
    return with(
        draft -> {
          draft.newIncompatible = newIncompatible;
          draft.newAutoclear = newAutoclear;
        });
  }

  Qcow2Header withBacking(Optional<String> name, Optional<String> format) {
    List<HeaderExtension> next = new ArrayList<>();
    if (name.isPresent()) {
      format.ifPresent(text -> next.add(HeaderExtension.of(HeaderExtension.BACKING_FORMAT, text)));
    }
    extensions.stream()
        .filter(extension -> extension.type() != HeaderExtension.BACKING_FORMAT)
        .forEach(next::add);
    return with(draft -> {
          draft.newExtensions = next;
          draft.newBackingName = name;
        })
        .fitting();
  }

  /** With the extension that leads to bitmaps, or without; features' names give way to it. */
  Qcow2Header withBitmaps(Optional<byte[]> data) {
    Optional<HeaderExtension> wanted =
        data.map(bytes -> new HeaderExtension(HeaderExtension.BITMAPS, bytes));
    List<HeaderExtension> next = new ArrayList<>();
    for (HeaderExtension extension : extensions) {
      if (extension.type() != HeaderExtension.BITMAPS) {
        next.add(extension);
      } else if (wanted.isPresent() && !next.contains(wanted.get())) {
        next.add(wanted.get());
      }
    }
    if (wanted.isPresent() && !next.contains(wanted.get())) {
      next.add(wanted.get());
    }
    return with(draft -> draft.newExtensions = next).fitting();
  }

  /** The same, without the names of features if there is no room for them. */
  Qcow2Header fitting() {
    if (encodedLength() <= 1 << clusterBits) {
      return this;
    }
    List<HeaderExtension> next =
        extensions.stream()
            .filter(extension -> extension.type() != HeaderExtension.FEATURE_NAMES)
            .toList();
    return with(draft -> draft.newExtensions = next);
  }

  Qcow2Header withRefcountTable(long offset, int clusters) {
    return with(
        draft -> {
          draft.newRefcountTableOffset = offset;
          draft.newRefcountTableClusters = clusters;
        });
  }

  Qcow2Header withSize(long newSize, long newL1Offset, int newL1Size) {
    return with(
        draft -> {
          draft.newSize = newSize;
          draft.newL1Offset = newL1Offset;
          draft.newL1Size = newL1Size;
        });
  }

  Qcow2Header withSnapshots(long offset, int count) {
    return with(
        draft -> {
          draft.newSnapshotsOffset = offset;
          draft.newSnapshotCount = count;
        });
  }
}
