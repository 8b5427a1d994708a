// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * The ACPI Machine Language terms that Spindle's tables are made of (ACPI 6.5, section 20.2).
 *
 * <p>Reads like the source language: {@code scope("\\_SB", device("COM1", name("_HID",
 * eisaId("PNP0501")), …))}.
 */
public final class Aml {
  private static final Pattern NAME_SEGMENT = Pattern.compile("[A-Z_][A-Z0-9_]{0,3}");
  private static final Pattern EISA_ID = Pattern.compile("[A-Z]{3}[0-9A-F]{4}");

  private static final int NAME_OP = 0x08;
  private static final int SCOPE_OP = 0x10;
  private static final int BUFFER_OP = 0x11;
  private static final int PACKAGE_OP = 0x12;
  private static final int METHOD_OP = 0x14;
  private static final int EXTENDED_PREFIX = 0x5B;
  private static final int DEVICE_OP = 0x82;
  private static final int BYTE_PREFIX = 0x0A;
  private static final int WORD_PREFIX = 0x0B;
  private static final int DWORD_PREFIX = 0x0C;
  private static final int STRING_PREFIX = 0x0D;
  private static final int QWORD_PREFIX = 0x0E;
  private static final int LOCAL0_OP = 0x60;
  private static final int ARG0_OP = 0x68;
  private static final int STORE_OP = 0x70;
  private static final int AND_OP = 0x7B;
  private static final int OR_OP = 0x7D;
  private static final int OPERATION_REGION_OP = 0x80;
  private static final int FIELD_OP = 0x81;
  private static final int NOTIFY_OP = 0x86;
  private static final int CREATE_DWORD_FIELD_OP = 0x8A;
  private static final int NOT_OP = 0x92;
  private static final int EQUAL_OP = 0x93;
  private static final int IF_OP = 0xA0;
  private static final int ELSE_OP = 0xA1;
  private static final int RETURN_OP = 0xA4;

  private static final int SERIALIZED = 1 << 3;
  private static final int SYSTEM_IO = 1;
  private static final int DWORD_ACCESS = 3;
  private static final int WRITE_AS_ZEROS = 2 << 5;

  private Aml() {}

  /** {@code Scope (path) { terms }}. */
  public static AmlTerm scope(String path, AmlTerm... terms) {
    return packaged(SCOPE_OP, false, path(path), terms);
  }

  /** {@code Device (name) { terms }}. */
  public static AmlTerm device(String name, AmlTerm... terms) {
    return packaged(DEVICE_OP, true, path(name), terms);
  }

  /** {@code Name (name, value)}. */
  public static AmlTerm name(String name, AmlTerm value) {
    AmlTerm path = path(name);
    return out -> {
      out.u8(NAME_OP);
      path.writeTo(out);
      value.writeTo(out);
    };
  }

  /** {@code Method (name, argumentCount, NotSerialized) { terms }}, at most 7 arguments. */
  public static AmlTerm method(String name, int argumentCount, AmlTerm... terms) {
    if (argumentCount < 0 || argumentCount > 7) {
      throw new IllegalArgumentException("a method takes 0 to 7 arguments, not " + argumentCount);
    }
    return methodWith(argumentCount, name, terms);
  }

  /** {@code Method (name, 0, Serialized) { terms }}: runs once at a time. */
  public static AmlTerm serializedMethod(String name, AmlTerm... terms) {
    return methodWith(SERIALIZED, name, terms);
  }

  private static AmlTerm methodWith(int flags, String name, AmlTerm... terms) {
    AmlTerm path = path(name);
    return packaged(
        METHOD_OP,
        false,
        out -> {
          path.writeTo(out);
          out.u8(flags);
        },
        terms);
  }

  /** {@code OperationRegion (name, SystemIO, port, length)}. */
  public static AmlTerm portRegion(String name, int port, int length) {
    AmlTerm path = path(name);
    return out -> {
      out.u8(EXTENDED_PREFIX).u8(OPERATION_REGION_OP);
      path.writeTo(out);
      out.u8(SYSTEM_IO);
      integer(port).writeTo(out);
      integer(length).writeTo(out);
    };
  }

  /**
   * {@code Field (region, DWordAcc, NoLock, WriteAsZeros) { name, 32, … }}: registers one after the
   * other.
   *
   * @param names of four characters each
   */
  public static AmlTerm dwordFields(String region, String... names) {
    AmlTerm path = path(region);
    List<AmlTerm> fields = Arrays.stream(names).map(Aml::path).toList();
    return packaged(
        FIELD_OP,
        true,
        out -> {
          path.writeTo(out);
          out.u8(DWORD_ACCESS | WRITE_AS_ZEROS);
          for (AmlTerm field : fields) {
            field.writeTo(out);
            out.u8(Integer.SIZE); // In the encoding of package lengths, which is itself below 64.
          }
        });
  }

  /** {@code Store (value, target)}. */
  public static AmlTerm store(AmlTerm value, AmlTerm target) {
    return out -> {
      out.u8(STORE_OP);
      value.writeTo(out);
      target.writeTo(out);
    };
  }

  /** {@code Notify (object, value)}. */
  public static AmlTerm notify(AmlTerm object, int value) {
    return out -> {
      out.u8(NOTIFY_OP);
      object.writeTo(out);
      integer(value).writeTo(out);
    };
  }

  /** {@code Local0} to {@code Local7}. */
  public static AmlTerm local(int index) {
    if (index < 0 || index > 7) {
      throw new IllegalArgumentException("no Local" + index);
    }
    return out -> out.u8(LOCAL0_OP + index);
  }

  /** What a result that nobody wants is stored to. */
  public static AmlTerm nowhere() {
    return out -> out.u8(0);
  }

  /** {@code Return (value)}. */
  public static AmlTerm returns(AmlTerm value) {
    return out -> {
      out.u8(RETURN_OP);
      value.writeTo(out);
    };
  }

  /** {@code If (condition) { terms }}. */
  public static AmlTerm ifTrue(AmlTerm condition, AmlTerm... terms) {
    return packaged(IF_OP, false, condition, terms);
  }

  /** {@code Else { terms }}, to follow an {@link #ifTrue}. */
  public static AmlTerm otherwise(AmlTerm... terms) {
    return packaged(ELSE_OP, false, out -> {}, terms);
  }

  /** {@code LEqual (left, right)}. */
  public static AmlTerm equal(AmlTerm left, AmlTerm right) {
    return out -> {
      out.u8(EQUAL_OP);
      left.writeTo(out);
      right.writeTo(out);
    };
  }

  /** {@code LNot (operand)}. */
  public static AmlTerm not(AmlTerm operand) {
    return out -> {
      out.u8(NOT_OP);
      operand.writeTo(out);
    };
  }

  /** {@code And (left, right, target)}. */
  public static AmlTerm and(AmlTerm left, AmlTerm right, AmlTerm target) {
    return binary(AND_OP, left, right, target);
  }

  /** {@code Or (left, right, target)}. */
  public static AmlTerm or(AmlTerm left, AmlTerm right, AmlTerm target) {
    return binary(OR_OP, left, right, target);
  }

  /** {@code CreateDWordField (buffer, byteIndex, name)}. */
  public static AmlTerm createDwordField(AmlTerm buffer, int byteIndex, String name) {
    AmlTerm path = path(name);
    return out -> {
      out.u8(CREATE_DWORD_FIELD_OP);
      buffer.writeTo(out);
      integer(byteIndex).writeTo(out);
      path.writeTo(out);
    };
  }

  /** {@code Arg0} to {@code Arg6}. */
  public static AmlTerm arg(int index) {
    if (index < 0 || index > 6) {
      throw new IllegalArgumentException("no Arg" + index);
    }
    return out -> out.u8(ARG0_OP + index);
  }

  /** A reference to the named object {@code path}, also as a method's operand. */
  public static AmlTerm reference(String path) {
    return path(path);
  }

  /** An integer in its shortest encoding; {@code value} is taken as unsigned. */
  public static AmlTerm integer(long value) {
    return out -> {
      if (value == 0 || value == 1) {
        out.u8((int) value);
      } else if (Long.compareUnsigned(value, 0xFFL) <= 0) {
        out.u8(BYTE_PREFIX).u8((int) value);
      } else if (Long.compareUnsigned(value, 0xFFFFL) <= 0) {
        out.u8(WORD_PREFIX).u16((int) value);
      } else if (Long.compareUnsigned(value, 0xFFFF_FFFFL) <= 0) {
        out.u8(DWORD_PREFIX).u32((int) value);
      } else {
        out.u8(QWORD_PREFIX).u64(value);
      }
    };
  }

  /** A string of ASCII characters. */
  public static AmlTerm string(String text) {
    return out -> out.u8(STRING_PREFIX).asciiz(text);
  }

  /** {@code EisaId ("PNP0A08")}: three letters and four hexadecimal digits in 32 bits. */
  public static AmlTerm eisaId(String id) {
    if (!EISA_ID.matcher(id).matches()) {
      throw new IllegalArgumentException("not an EISA id: " + id);
    }
    int vendor = (id.charAt(0) - 0x40) << 10 | (id.charAt(1) - 0x40) << 5 | (id.charAt(2) - 0x40);
    int product = Integer.parseInt(id.substring(3), 16);
    int value = Integer.reverseBytes(vendor << 16 | product);
    return integer(Integer.toUnsignedLong(value));
  }

  /** {@code Package () { elements }}, at most 255 elements. */
  public static AmlTerm packageOf(List<AmlTerm> elements) {
    if (elements.size() > 255) {
      throw new IllegalArgumentException(elements.size() + " elements do not fit in a package");
    }
    return packaged(
        PACKAGE_OP, false, out -> out.u8(elements.size()), elements.toArray(AmlTerm[]::new));
  }

  /** {@code Buffer () { bytes }}. */
  public static AmlTerm buffer(byte[] bytes) {
    byte[] copy = bytes.clone();
    return packaged(BUFFER_OP, false, integer(copy.length), out -> out.bytes(copy));
  }

  /** {@code ToUUID ("…")}: the mixed-endian 16-byte buffer of ACPI section 19.6.142. */
  public static AmlTerm uuid(String text) {
    String hex = text.replace("-", "").toUpperCase(Locale.ROOT);
    if (hex.length() != 32) {
      throw new IllegalArgumentException("not a UUID: " + text);
    }
    int[] order = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    byte[] bytes = new byte[16];
    for (int i = 0; i < 16; i++) {
      bytes[i] = (byte) Integer.parseInt(hex.substring(2 * order[i], 2 * order[i] + 2), 16);
    }
    return buffer(bytes);
  }

  /** {@code ResourceTemplate () { resources }}, closed with an end tag. */
  public static AmlTerm resourceTemplate(AmlResource... resources) {
    ByteWriter out = new ByteWriter();
    for (AmlResource resource : resources) {
      resource.writeTo(out);
    }
    // End tag; a zero checksum byte means "treat as correct" (section 6.4.2.9).
    out.u8(0x79).u8(0);
    return buffer(out.toByteArray());
  }

  private static AmlTerm binary(int op, AmlTerm left, AmlTerm right, AmlTerm target) {
    return out -> {
      out.u8(op);
      left.writeTo(out);
      right.writeTo(out);
      target.writeTo(out);
    };
  }

  /** {@code op PkgLength head terms}, the shape of everything that has a body. */
  private static AmlTerm packaged(int op, boolean extended, AmlTerm head, AmlTerm... terms) {
    return out -> {
      ByteWriter body = new ByteWriter();
      head.writeTo(body);
      for (AmlTerm term : terms) {
        term.writeTo(body);
      }
      if (extended) {
        out.u8(EXTENDED_PREFIX);
      }
      out.u8(op);
      packageLength(out, body.length());
      out.bytes(body.toByteArray());
    };
  }

  /** Section 20.2.4: the length counts its own bytes, of which there are one to four. */
  private static void packageLength(ByteWriter out, int bodyLength) {
    if (bodyLength + 1 < 1 << 6) {
      out.u8(bodyLength + 1);
      return;
    }
    int following = bodyLength + 2 < 1 << 12 ? 1 : bodyLength + 3 < 1 << 20 ? 2 : 3;
    int length = bodyLength + 1 + following;
    if (length >= 1 << 28) {
      throw new IllegalArgumentException("an AML body of " + bodyLength + " bytes is too long");
    }
    out.u8(following << 6 | (length & 0xF));
    for (int i = 0; i < following; i++) {
      out.u8(length >> (4 + 8 * i));
    }
  }

  /** Section 20.2.2: an optional root character, then one, two or many four-character segments. */
  private static AmlTerm path(String path) {
    boolean absolute = path.startsWith("\\");
    String[] segments = (absolute ? path.substring(1) : path).split("\\.", -1);
    for (String segment : segments) {
      if (!NAME_SEGMENT.matcher(segment).matches()) {
        throw new IllegalArgumentException("not an ACPI name: " + path);
      }
    }
    return out -> {
      if (absolute) {
        out.u8('\\');
      }
      if (segments.length == 2) {
        out.u8(0x2E);
      } else if (segments.length > 2) {
        out.u8(0x2F).u8(segments.length);
      }
      for (String segment : segments) {
        out.ascii(segment, 4, '_');
      }
    };
  }
}
