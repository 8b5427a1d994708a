// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

/** An image in clusters, all in its own file, each wherever a table says. */
public abstract class TableImage extends Image {
  /** Of a cluster that the image does not hold. */
  protected static final long ABSENT = -1;

  /** Of a cluster that the image holds as zeroes. */
  protected static final long ZEROES = -2;

  /**
   * Looks a cluster up.
   *
   * @param index its number in the disk
   * @return where its data begins in the file, in bytes, or {@link #ABSENT}, or {@link #ZEROES}
   * @throws ImageException if the table cannot be read, or says what cannot be
   */
  protected abstract long place(ImageFile file, long index) throws ImageException;

  @Override
  public final Extent map(ImageIo io, long offset, long length) throws ImageException {
    long cluster = clusterSize();
    long within = offset % cluster;
    long run = Math.min(cluster - within, length);
    long place = place(io.file(), offset / cluster);
    if (place == ABSENT) {
      return new Extent.Absent(run);
    }
    return place == ZEROES ? new Extent.Zeroes(run) : new Extent.Data(0, place + within, run);
  }
}
