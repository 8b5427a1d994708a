// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

/**
 * A kind of image that QEMU makes.
 *
 * @param format the driver's name
 * @param options of {@code qemu-img -o}, or nothing
 * @param checked whether {@code qemu-img check} knows it
 */
public record ImageKind(String format, String options, boolean checked) {
  public static final ImageKind VDI = new ImageKind("vdi", "", true);
  public static final ImageKind VPC = new ImageKind("vpc", "force_size=on", false);
  public static final ImageKind VPC_FIXED =
      new ImageKind("vpc", "subformat=fixed,force_size=on", false);

  public static final ImageKind VMDK = new ImageKind("vmdk", "", true);
  public static final ImageKind VMDK_ZEROED = new ImageKind("vmdk", "zeroed_grain=on", true);
  public static final ImageKind VMDK_FLAT =
      new ImageKind("vmdk", "subformat=monolithicFlat", false);
  public static final ImageKind VMDK_PARTS =
      new ImageKind("vmdk", "subformat=twoGbMaxExtentSparse", false);

  public static final ImageKind VMDK_STREAM =
      new ImageKind("vmdk", "subformat=streamOptimized", true);
  public static final ImageKind VHDX = new ImageKind("vhdx", "", true);
  public static final ImageKind VHDX_SMALL = new ImageKind("vhdx", "block_size=1M", true);
  public static final ImageKind VHDX_FIXED = new ImageKind("vhdx", "subformat=fixed", true);
  public static final ImageKind PARALLELS = new ImageKind("parallels", "", true);

  /** Whether QEMU tells what it holds from what it does not. */
  public boolean mapped() {
    return !format.equals("vhdx");
  }

  /** Whether it has room for all of the disk from the beginning. */
  public boolean preallocated() {
    return options.contains("fixed") || options.contains("Flat");
  }

  @Override
  public String toString() {
    return options.isEmpty() ? format : format + "(" + options + ")";
  }
}
