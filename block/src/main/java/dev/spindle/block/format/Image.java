// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.image.ImageDescription;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * An open image: what tells one format from another. Its methods are straight-line code; those that
 * take an {@link ImageIo} are called with the image's lock held, one at a time, from any context,
 * and may wait. Whatever they read is checked: an image is anybody's.
 */
public abstract class Image {
  /** What the image shows, in bytes, a multiple of 512. Any thread, without the lock. */
  public abstract long length();

  /** Why the image cannot be written, as far as it is up to the format; null if it can. */
  public String readOnlyReason() {
    return null;
  }

  /** The backing file that the image names. */
  public Optional<BackingName> backing() {
    return Optional.empty();
  }

  /**
   * Finds the start of a range.
   *
   * @param offset in bytes, inside the image
   * @param length in bytes, positive, inside the image
   * @throws ImageException if the metadata cannot be read, or says what cannot be
   */
  public abstract Extent map(ImageIo io, long offset, long length) throws ImageException;

  /**
   * Reads what is packed.
   *
   * @param offset in bytes; the range is within one {@link Extent.Packed} that was found
   * @param target native memory, 1 MiB at most
   */
  public void unpack(ImageIo io, long offset, MemorySegment target) throws ImageException {
    throw new IllegalStateException("nothing is packed");
  }

  /**
   * The image is to be written from now on, be it just opened or reopened. Reads what that needs
   * and writes nothing yet.
   *
   * @throws ImageException if the image can be read, but is not safe to write
   */
  public void beginWrites(ImageIo io) throws ImageException {}

  /** The image is about to be changed for the first time since it was opened or settled. */
  public void firstChange(ImageIo io) throws ImageException {}

  /**
   * Looks at the image that this one backs onto, if it is one that goes by this class.
   *
   * @throws ImageException if it is not the one that this image was made for
   */
  public void checkBacking(Image below) throws ImageException {}

  /** In how many bytes room is taken, a multiple of 512. Unused unless the image is writable. */
  public long clusterSize() {
    return 512;
  }

  /**
   * Finds room for a cluster that the image does not hold. Nobody else asks for the same one until
   * it is linked.
   *
   * @param cluster where it starts in the image, a multiple of {@link #clusterSize}
   */
  public NewCluster allocate(ImageIo io, long cluster) throws ImageException {
    throw new IllegalStateException("the image is read-only");
  }

  /** Takes back room that was found, and that nothing will lead to. */
  public void release(NewCluster room) {}

  /** Has a cluster lead to its room, where its data has been written. */
  public void link(ImageIo io, long cluster, NewCluster where) throws ImageException {
    throw new IllegalStateException("the image is read-only");
  }

  /** What there is to say of it, beside its length. */
  public ImageDescription describe(ImageIo io) throws ImageException {
    return ImageDescription.PLAIN;
  }

  /**
   * Looks through its metadata, and mends what is to be mended; the files are flushed after that.
   * Nobody else uses the image.
   */
  public void check(ImageIo io, CheckTally tally) throws ImageException {
    throw new IllegalStateException("images of this format are not checked");
  }

  /** Writes what metadata has not been written; the files are flushed after that. */
  public void flush(ImageIo io) throws ImageException {}

  /**
   * Leaves the image as one that is not in use, since it is closed or becomes read-only. The files
   * are flushed after that if it says so.
   *
   * @return whether something was written
   */
  public boolean settle(ImageIo io) throws ImageException {
    return false;
  }
}
