// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A header extension as the image has it.
 *
 * @param type one of those below, or any other, which is kept as it is
 * @param data without padding; not to be changed
 */
record HeaderExtension(int type, byte[] data) {
  static final int BACKING_FORMAT = 0xe2792aca;
  static final int FEATURE_NAMES = 0x6803f857;
  static final int BITMAPS = 0x23852875;
  static final int ENCRYPTION = 0x0537be77;
  static final int DATA_FILE = 0x44415441;

  private static final int END = 0;
  private static final int NAME_ENTRY = 48;

  /** One with a text. */
  static HeaderExtension of(int type, String text) {
    return new HeaderExtension(type, text.getBytes(UTF_8));
  }

  /** Its data as text. */
  String text() {
    return new String(data, UTF_8);
  }

  /** How many bytes it takes in the image. */
  int size() {
    return 8 + (data.length + 7 & -8);
  }

  void put(ByteBuffer target) {
    target.putInt(type).putInt(data.length).put(data);
    target.position(target.position() + (-data.length & 7));
  }

  /**
   * Reads the extensions.
   *
   * @param from the first cluster, up to what follows the extensions, positioned at the first one
   */
  static List<HeaderExtension> readAll(ByteBuffer from) throws Qcow2Exception {
    List<HeaderExtension> extensions = new ArrayList<>();
    while (from.remaining() >= 4) {
      int type = from.getInt();
      if (type == END) {
        return extensions;
      }
      int length = from.remaining() < 4 ? Integer.MAX_VALUE : from.getInt();
      if (length < 0 || length > from.remaining()) {
        throw new Qcow2Exception("Header extension too large");
      }
      byte[] data = new byte[length];
      from.get(data);
      from.position(Math.min(from.limit(), from.position() + (-length & 7)));
      extensions.add(new HeaderExtension(type, data));
    }
    return extensions;
  }

  /** The data of the first extension of a type. */
  static Optional<HeaderExtension> find(List<HeaderExtension> extensions, int type) {
    return extensions.stream().filter(extension -> extension.type == type).findFirst();
  }

  /** The names that an image itself gives to incompatible features, for those of some bits. */
  static List<String> incompatibleNames(List<HeaderExtension> extensions, long bits) {
    byte[] last =
        extensions.stream()
            .filter(extension -> extension.type == FEATURE_NAMES)
            .reduce((_, next) -> next)
            .map(HeaderExtension::data)
            .orElse(new byte[0]);
    // The last name may end with its text.
    byte[] table = Arrays.copyOf(last, (last.length + NAME_ENTRY - 1) / NAME_ENTRY * NAME_ENTRY);
    List<String> names = new ArrayList<>();
    long left = bits;
    for (int at = 0; at + NAME_ENTRY <= table.length; at += NAME_ENTRY) {
      long bit =
          table[at] == 0 && table[at + 1] >= 0 && table[at + 1] < 64 ? 1L << table[at + 1] : 0;
      if ((left & bit) != 0 && table[at + 2] != 0) {
        names.add(name(table, at + 2));
        left &= ~bit;
      }
    }
    if (left != 0) {
      names.add("Unknown incompatible feature: " + Long.toHexString(left));
    }
    return names;
  }

  private static String name(byte[] table, int start) {
    int end = start;
    while (end < start + NAME_ENTRY - 2 && table[end] != 0) {
      end++;
    }
    return printable(new String(table, start, end - start, UTF_8));
  }

  /** An image's words come into messages on a terminal. */
  private static String printable(String text) {
    return text.replaceAll("\\p{Cntrl}", "?");
  }

  /** The names of all features, as new images carry them. */
  static HeaderExtension featureNames() {
    record Name(int kind, int bit, String words) {}
    List<Name> names =
        List.of(
            new Name(0, 0, "dirty bit"),
            new Name(0, 1, "corrupt bit"),
            new Name(0, 2, "external data file"),
            new Name(0, 3, "compression type"),
            new Name(0, 4, "extended L2 entries"),
            new Name(1, 0, "lazy refcounts"),
            new Name(2, 0, "bitmaps"),
            new Name(2, 1, "raw external data"));
    ByteBuffer table = ByteBuffer.allocate(names.size() * NAME_ENTRY);
    for (Name name : names) {
      table.put((byte) name.kind).put((byte) name.bit);
      table.put(Arrays.copyOf(name.words.getBytes(UTF_8), NAME_ENTRY - 2));
    }
    return new HeaderExtension(FEATURE_NAMES, table.array());
  }
}
