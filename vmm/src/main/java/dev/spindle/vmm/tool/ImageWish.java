// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.util.Map;
import java.util.Optional;

/**
 * An image as a user wants it opened.
 *
 * @param name a file name in any of its forms, or options if {@code byOptions}
 * @param byOptions whether it is {@code driver=…,file.filename=…} ({@code --image-opts})
 * @param format its format; empty to find out by looking
 * @param more further options of its node, {@code file.…} for that of its file
 * @param writable whether it will be written
 * @param cache how writes get to the disk
 * @param unmap whether discards give up storage
 * @param forceShare whether others may use it in whatever way meanwhile
 * @param copyOnRead whether what is read from a backing file is kept
 * @param withBacking whether what it backs onto is opened, too
 * @param temporary whether what is written is forgotten when the image is closed
 */
public record ImageWish(
    String name,
    boolean byOptions,
    Optional<String> format,
    Map<String, String> more,
    boolean writable,
    CacheMode cache,
    boolean unmap,
    boolean forceShare,
    boolean copyOnRead,
    boolean withBacking,
    boolean temporary) {
  /** To be read. */
  public static ImageWish reading(String name, boolean byOptions, String format) {
    return new ImageWish(
        name,
        byOptions,
        Optional.ofNullable(format),
        Map.of(),
        false,
        CacheMode.WRITEBACK,
        true,
        false,
        false,
        true,
        false);
  }

  /** The same, by another name. */
  public ImageWish named(String other) {
    return new ImageWish(
        other,
        byOptions,
        format,
        more,
        writable,
        cache,
        unmap,
        forceShare,
        copyOnRead,
        withBacking,
        temporary);
  }

  /** The same, in a format. */
  public ImageWish inFormat(String driver) {
    return new ImageWish(
        name,
        byOptions,
        Optional.of(driver),
        more,
        writable,
        cache,
        unmap,
        forceShare,
        copyOnRead,
        withBacking,
        temporary);
  }

  /** The same, to be written or not. */
  public ImageWish writable(boolean on) {
    return new ImageWish(
        name,
        byOptions,
        format,
        more,
        on,
        cache,
        unmap,
        forceShare,
        copyOnRead,
        withBacking,
        temporary);
  }

  /** The same, with another way to the disk. */
  public ImageWish cache(CacheMode mode) {
    return new ImageWish(
        name,
        byOptions,
        format,
        more,
        writable,
        mode,
        unmap,
        forceShare,
        copyOnRead,
        withBacking,
        temporary);
  }

  /** The same, with others free to do what they want. */
  public ImageWish forceShare(boolean on) {
    return new ImageWish(
        name,
        byOptions,
        format,
        more,
        writable,
        cache,
        unmap,
        on,
        copyOnRead,
        withBacking,
        temporary);
  }

  /** The same, with discards that give up storage, or do not. */
  public ImageWish unmap(boolean on) {
    return new ImageWish(
        name,
        byOptions,
        format,
        more,
        writable,
        cache,
        on,
        forceShare,
        copyOnRead,
        withBacking,
        temporary);
  }

  /** The same, with what is read from a backing file kept, or not. */
  public ImageWish copyOnRead(boolean on) {
    return new ImageWish(
        name,
        byOptions,
        format,
        more,
        writable,
        cache,
        unmap,
        forceShare,
        on,
        withBacking,
        temporary);
  }

  /** The same, with further options. */
  public ImageWish more(Map<String, String> options) {
    return new ImageWish(
        name,
        byOptions,
        format,
        options,
        writable,
        cache,
        unmap,
        forceShare,
        copyOnRead,
        withBacking,
        temporary);
  }

  /** The same, without what it backs onto. */
  public ImageWish alone() {
    return new ImageWish(
        name,
        byOptions,
        format,
        more,
        writable,
        cache,
        unmap,
        forceShare,
        copyOnRead,
        false,
        temporary);
  }

  /** The same, with what is written forgotten in the end. */
  public ImageWish temporarily() {
    return new ImageWish(
        name,
        byOptions,
        format,
        more,
        writable,
        cache,
        unmap,
        forceShare,
        copyOnRead,
        withBacking,
        true);
  }
}
