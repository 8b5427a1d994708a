// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What there is to say of an image, beside its length.
 *
 * @param clusterSize bytes; empty if the format has no clusters
 * @param encrypted whether its data are
 * @param compressed whether some of it is compressed
 * @param dirty whether it was not closed as it should
 * @param backingFile the name of its backing file as the image has it
 * @param backingFormat that file's format as the image has it
 * @param snapshots in the image's order
 * @param specific what only this format has, or empty. Values are {@code String}, {@code Boolean},
 *     {@code Long}, {@code List} and {@code Map} of such, by QAPI's names, in QAPI's order
 */
public record ImageDescription(
    OptionalInt clusterSize,
    boolean encrypted,
    boolean compressed,
    boolean dirty,
    Optional<String> backingFile,
    Optional<String> backingFormat,
    List<SnapshotDescription> snapshots,
    Map<String, Object> specific) {
  /** Of an image of which there is nothing to say. */
  public static final ImageDescription PLAIN =
      new ImageDescription(
          OptionalInt.empty(),
          false,
          false,
          false,
          Optional.empty(),
          Optional.empty(),
          List.of(),
          Map.of());

  /**
   * Of an image of which there is only that to say.
   *
   * @param clusterSize bytes
   */
  public static ImageDescription ofClusters(long clusterSize) {
    return new ImageDescription(
        OptionalInt.of(Math.toIntExact(clusterSize)),
        false,
        false,
        false,
        Optional.empty(),
        Optional.empty(),
        List.of(),
        Map.of());
  }
}
