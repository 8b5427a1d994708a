// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vmdk;

import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The text that describes a disk (Virtual Disk Format, "The Descriptor File").
 *
 * @param text as it was found
 * @param values the header's and the disk database's, by their names in lower case
 * @param extents in the order in which they make up the disk
 */
record VmdkDescriptor(String text, Map<String, String> values, List<ExtentLine> extents) {
  /** The most bytes of text that are read. */
  static final int MOST_BYTES = 64 << 10;

  static final String FIRST_LINE = "# Disk DescriptorFile";
  static final String NO_PARENT = "ffffffff";
  private static final int MOST_EXTENTS = 1024;

  private static final Pattern VALUE = Pattern.compile("\\s*([A-Za-z0-9_.]+)\\s*=\\s*(.*?)\\s*");
  private static final Pattern EXTENT =
      Pattern.compile(
          "\\s*(RW|RDONLY|NOACCESS)\\s+(\\d{1,15})\\s+([A-Z0-9]+)(?:\\s+\"([^\"]*)\"(?:\\s+(\\d{1,15}))?)?\\s*");
  private static final Pattern CID = Pattern.compile("(?m)^(CID=)[0-9A-Fa-f]{1,8}");

  /**
   * One line about an extent.
   *
   * @param sectors of the disk that it holds
   * @param type {@code FLAT}, {@code SPARSE} and so on
   * @param file empty for what has none
   * @param offset in the file, in sectors
   */
  record ExtentLine(String access, long sectors, String type, String file, long offset) {}

  static VmdkDescriptor parse(ImageFile file, String text) throws ImageException {
    Map<String, String> values = new LinkedHashMap<>();
    List<ExtentLine> extents = new ArrayList<>();
    for (String line : text.lines().toList()) {
      Matcher value = VALUE.matcher(line);
      Matcher extent = EXTENT.matcher(line);
      if (extent.matches()) {
        extents.add(
            new ExtentLine(
                extent.group(1),
                Long.parseLong(extent.group(2)),
                extent.group(3),
                extent.group(4) == null ? "" : extent.group(4),
                extent.group(5) == null ? 0 : Long.parseLong(extent.group(5))));
      } else if (value.matches()) {
        values.putIfAbsent(value.group(1).toLowerCase(Locale.ROOT), unquoted(value.group(2)));
      }
    }
    if (extents.size() > MOST_EXTENTS) {
      throw new ImageException(
          "%s: the descriptor has %d extents, at most %d are supported"
              .formatted(file.name(), extents.size(), MOST_EXTENTS));
    }
    return new VmdkDescriptor(text, values, List.copyOf(extents));
  }

  private static String unquoted(String value) {
    return value.length() > 1 && value.startsWith("\"") && value.endsWith("\"")
        ? value.substring(1, value.length() - 1)
        : value;
  }

  /** What kind of disk it is: {@code monolithicSparse} and so on. */
  String createType(ImageFile file) throws ImageException {
    return Optional.ofNullable(values.get("createtype"))
        .orElseThrow(() -> new ImageException(file.name() + ": the descriptor has no createType"));
  }

  /** The number that changes whenever the disk does, in hexadecimal, lower case. */
  String cid() {
    return padded(values.getOrDefault("cid", NO_PARENT));
  }

  /** The number that the parent had, if there is one. */
  String parentCid() {
    return padded(values.getOrDefault("parentcid", NO_PARENT));
  }

  /** Some programs leave zeroes out. */
  private static String padded(String number) {
    String digits = number.toLowerCase(Locale.ROOT);
    return "0".repeat(Math.max(0, 8 - digits.length())) + digits;
  }

  /** The text with another number of eight hexadecimal digits in the place of the CID. */
  String withCid(String cid) {
    return CID.matcher(text).replaceFirst("$1" + cid);
  }
}
