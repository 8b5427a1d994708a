// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Numbers of bytes as QEMU's tools read and write them. */
public final class ByteCount {
  /** The text is no number of bytes. */
  public static final long INVALID = -1;

  /** It is one, and does not fit 63 bits. */
  public static final long TOO_LARGE = -2;

  private static final String UNITS = "BKMGTPE";

  private ByteCount() {}

  /**
   * Reads {@code 512}, {@code 64k}, {@code 1.5G}, {@code 0x1000}.
   *
   * @return bytes, {@link #INVALID} or {@link #TOO_LARGE}
   */
  public static long parse(String given) {
    String text = given.stripLeading();
    if (text.startsWith("0x") || text.startsWith("0X")) {
      return parseHex(text.substring(2));
    }
    int end = 0;
    while (end < text.length() && isDigit(text.charAt(end))) {
      end++;
    }
    if (end == 0) {
      return INVALID;
    }
    boolean fraction = end < text.length() && text.charAt(end) == '.';
    if (fraction) {
      end++;
      while (end < text.length() && isDigit(text.charAt(end))) {
        end++;
      }
    }
    int unit = 0;
    if (end < text.length()) {
      unit = UNITS.indexOf(text.substring(end).toUpperCase(Locale.ROOT));
      if (unit < 0 || end + 1 < text.length()) {
        return INVALID;
      }
    }
    String digits = text.substring(0, end);
    BigDecimal number = new BigDecimal(digits.endsWith(".") ? digits + "0" : digits);
    if (unit == 0 && number.stripTrailingZeros().scale() > 0) {
      return INVALID;
    }
    BigDecimal bytes = number.multiply(new BigDecimal(BigInteger.ONE.shiftLeft(10 * unit)));
    return fit(bytes.setScale(0, fraction ? RoundingMode.HALF_EVEN : RoundingMode.DOWN));
  }

  private static long parseHex(String digits) {
    if (digits.isEmpty() || !digits.chars().allMatch(c -> Character.digit(c, 16) >= 0)) {
      return INVALID;
    }
    return fit(new BigDecimal(new BigInteger(digits, 16)));
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private static long fit(BigDecimal bytes) {
    return bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0
        ? TOO_LARGE
        : bytes.longValueExact();
  }

  /** With three digits that count and the unit at hand: {@code 1 MiB}, {@code 976 KiB}. */
  public static String human(long bytes) {
    int unit = 0;
    // From 1000 on, the next unit is at hand.
    double scaled = bytes * 1.024;
    while (unit < 6 && scaled >= 1024) {
      scaled /= 1024;
      unit++;
    }
    BigDecimal value =
        new BigDecimal(bytes)
            .divide(new BigDecimal(1L << (10 * unit)), MathContext.DECIMAL128)
            .round(new MathContext(3, RoundingMode.HALF_EVEN));
    String number =
        value.compareTo(BigDecimal.valueOf(1000)) >= 0
            ? "1e+03"
            : value.signum() == 0 ? "0" : value.stripTrailingZeros().toPlainString();
    return number + " " + (unit == 0 ? "" : UNITS.charAt(unit) + "i") + "B";
  }

  /** With three decimals, if it has some: {@code 4 KiB}, {@code 1.500 KiB}, {@code 40 bytes}. */
  public static String exact(double bytes) {
    for (int unit = 6; unit > 0; unit--) {
      double size = Math.scalb(1.0, 10 * unit);
      if (bytes >= size) {
        return trim(round(bytes / size, 3)) + " " + UNITS.charAt(unit) + "iB";
      }
    }
    return trim(round(bytes, 6)) + " bytes";
  }

  /** As C does it: what lies in the middle goes to the even digit. */
  private static String round(double value, int digits) {
    return new BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toPlainString();
  }

  private static String trim(String number) {
    int dot = number.indexOf('.');
    return number.substring(dot + 1).chars().allMatch(c -> c == '0')
        ? number.substring(0, dot)
        : number;
  }
}
