// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.driver.qcow2.Entry.Kind;
import dev.spindle.block.image.AmendableImage.Amendment;
import dev.spindle.linux.Errno;

/**
 * Changes an image's version, and what depends on it. Straight-line code; nothing else uses the
 * image, and nobody writes to it afterwards before it is opened anew.
 */
final class ImageAmendment {
  /** Of zeroes that are written, bytes; a multiple of any cluster or a part of it. */
  private static final long MOST_AT_ONCE = 1 << 20;

  private final Qcow2Image image;
  private final Qcow2Header header;
  private final Amendment wish;
  private final int version;

  ImageAmendment(Qcow2Image image, Amendment wish) {
    this.image = image;
    this.header = image.header();
    this.wish = wish;
    this.version = wish.version().orElse(header.version());
  }

  private static Qcow2Exception refusal(String words) {
    return new Qcow2Exception(Errno.EINVAL, words);
  }

  /** Refuses what cannot be; changes nothing. */
  void check() throws Qcow2Exception {
    int now = 1 << header.refcountOrder();
    int bits = wish.refcountBits().orElse(now);
    if (bits < 1 || bits > 64 || Integer.bitCount(bits) != 1) {
      throw refusal("Refcount width must be a power of two and may not exceed 64 bits");
    }
    if (version < 3 && bits != 16) {
      throw refusal(
          wish.refcountBits().isPresent()
              ? "Refcount widths other than 16 bits require compatibility level 1.1 or above (use"
                  + " compat=1.1 or greater)"
              : "compat=0.10 requires refcount_bits=16");
    }
    if (bits != now) {
      throw refusal("The width of this image's refcounts is %d bits, and stays so".formatted(now));
    }
    if (version < 3 && wish.lazyRefcounts().orElse(false)) {
      throw refusal(
          "Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or"
              + " greater)");
    }
    if (version < header.version()) {
      checkOlder();
    }
  }

  private void checkOlder() throws Qcow2Exception {
    long left = header.incompatible() & ~Features.DIRTY;
    if (left != 0) {
      throw refusal(
          "Cannot downgrade an image with incompatible features 0x%x set".formatted(left));
    }
    if (!image.bitmaps().entries().isEmpty()) {
      throw refusal("Cannot downgrade an image with persistent bitmaps; remove them first");
    }
    if (!image.snapshots().isEmpty()) {
      throw refusal("Cannot downgrade an image with internal snapshots; delete them first");
    }
  }

  /** Changes what is wanted. */
  void run(Qcow2Io io, ImageWriter writer) throws Qcow2Exception {
    check();
    boolean lazy =
        version >= 3
            && wish.lazyRefcounts().orElse((header.compatible() & Features.LAZY_REFCOUNTS) != 0);
    long others = version >= 3 ? header.compatible() & ~Features.LAZY_REFCOUNTS : 0;
    if (version < header.version()) {
      writeZeroes(io, writer);
    }
    image.settle(io);
    image.change(
        io,
        () -> {
          image
              .headerFile()
              .amend(io.file(), version, others | (lazy ? Features.LAZY_REFCOUNTS : 0));
          // The tables in memory are handled as those of the version that was.
          image.writeNoMore();
          return null;
        });
  }

  /** Version 2 has no flag for what reads as zeroes: has it be data, or be nowhere. */
  private void writeZeroes(Qcow2Io io, ImageWriter writer) throws Qcow2Exception {
    Found found = new Found();
    ImageResize cutter = new ImageResize(image, io, writer);
    for (long at = 0; at < image.length(); at += found.length) {
      image.find(io, at, image.length() - at, found);
      if (found.kind == Kind.ZERO && io.nothingBelow(at)) {
        cutter.giveUp(at, at + found.length);
      } else if (found.kind == Kind.ZERO) {
        found.length = Math.min(found.length, MOST_AT_ONCE);
        writer.writeZeroes(io, at, found.length);
      }
    }
  }
}
