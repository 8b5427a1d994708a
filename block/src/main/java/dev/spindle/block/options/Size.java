// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes as QEMU's users write them: {@code 512}, {@code 64k}, {@code 1.5G}. */
public final class Size {
  private static final Pattern SHAPE = Pattern.compile("(\\d+(?:\\.\\d+)?)([bBkKmMgGtTpP]?)");

  private Size() {}

  /** The shortest text for a number of bytes: {@code 64k} rather than {@code 65536}. */
  public static String format(long bytes) {
    int shift = bytes == 0 ? 0 : Math.min(Long.numberOfTrailingZeros(bytes) / 10, 5);
    return (bytes >> (shift * 10)) + (shift == 0 ? "" : String.valueOf("kMGTP".charAt(shift - 1)));
  }

  /** Bytes, or empty if it is no size or does not fit 63 bits. */
  public static OptionalLong parse(String text) {
    Matcher matcher = SHAPE.matcher(text);
    if (!matcher.matches()) {
      return OptionalLong.empty();
    }
    int shift =
        switch (matcher.group(2).toLowerCase(Locale.ROOT)) {
          case "k" -> 10;
          case "m" -> 20;
          case "g" -> 30;
          case "t" -> 40;
          case "p" -> 50;
          default -> 0;
        };
    BigDecimal bytes = new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(1L << shift));
    if (bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
      return OptionalLong.empty();
    }
    return OptionalLong.of(bytes.setScale(0, RoundingMode.DOWN).longValueExact());
  }
}
