// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** An image as a user wants it opened. Immutable: what is said more makes another one. */
public final class ImageWish {
  private String name;
  private boolean byOptions;
  private Optional<String> format = Optional.empty();
  private Map<String, String> more = Map.of();
  private boolean writable;
  private CacheMode cache = CacheMode.WRITEBACK;
  private boolean unmap = true;
  private boolean forceShare;
  private boolean copyOnRead;
  private boolean withBacking = true;
  private boolean temporary;

  private ImageWish() {}

  /** To be read. */
  public static ImageWish reading(String name, boolean byOptions, String format) {
    ImageWish wish = new ImageWish();
    wish.name = name;
    wish.byOptions = byOptions;
    wish.format = Optional.ofNullable(format);
    return wish;
  }

  private ImageWish with(Consumer<ImageWish> change) {
    ImageWish other = new ImageWish();
    other.name = name;
    other.byOptions = byOptions;
    other.format = format;
    other.more = more;
    other.writable = writable;
    other.cache = cache;
    other.unmap = unmap;
    other.forceShare = forceShare;
    other.copyOnRead = copyOnRead;
    other.withBacking = withBacking;
    other.temporary = temporary;
    change.accept(other);
    return other;
  }

  /** A file name in any of its forms, or options if {@link #byOptions}. */
  public String name() {
    return name;
  }

  /** Whether it is {@code driver=…,file.filename=…} ({@code --image-opts}). */
  public boolean byOptions() {
    return byOptions;
  }

  /** Its format; empty to find out by looking. */
  public Optional<String> format() {
    return format;
  }

  /** Further options of its node, {@code file.…} for that of its file. */
  public Map<String, String> more() {
    return more;
  }

  /** Whether it will be written. */
  public boolean writable() {
    return writable;
  }

  /** How writes get to the disk. */
  public CacheMode cache() {
    return cache;
  }

  /** Whether discards give up storage. */
  public boolean unmap() {
    return unmap;
  }

  /** Whether others may use it in whatever way meanwhile. */
  public boolean forceShare() {
    return forceShare;
  }

  /** Whether what is read from a backing file is kept. */
  public boolean copyOnRead() {
    return copyOnRead;
  }

  /** Whether what it backs onto is opened, too. */
  public boolean withBacking() {
    return withBacking;
  }

  /** Whether what is written is forgotten when the image is closed. */
  public boolean temporary() {
    return temporary;
  }

  /** The same, by another name. */
  public ImageWish named(String other) {
    return with(wish -> wish.name = other);
  }

  /** The same, in a format. */
  public ImageWish inFormat(String driver) {
    return with(wish -> wish.format = Optional.of(driver));
  }

  /** The same, to be written or not. */
  public ImageWish writable(boolean on) {
    return with(wish -> wish.writable = on);
  }

  /** The same, with another way to the disk. */
  public ImageWish cache(CacheMode mode) {
    return with(wish -> wish.cache = mode);
  }

  /** The same, with others free to do what they want. */
  public ImageWish forceShare(boolean on) {
    return with(wish -> wish.forceShare = on);
  }

  /** The same, with discards that give up storage, or do not. */
  public ImageWish unmap(boolean on) {
    return with(wish -> wish.unmap = on);
  }

  /** The same, with what is read from a backing file kept, or not. */
  public ImageWish copyOnRead(boolean on) {
    return with(wish -> wish.copyOnRead = on);
  }

  /** The same, with further options. */
  public ImageWish more(Map<String, String> options) {
    return with(wish -> wish.more = options);
  }

  /** The same, without what it backs onto. */
  public ImageWish alone() {
    return with(wish -> wish.withBacking = false);
  }

  /** The same, with what is written forgotten in the end. */
  public ImageWish temporarily() {
    return with(wish -> wish.temporary = true);
  }
}
