// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import dev.spindle.block.format.Fields;
import java.nio.ByteOrder;
import java.util.UUID;

/** GUIDs as VHDX keeps them: the first three numbers with the least byte first. */
final class VhdxGuid {
  static final int BYTES = 16;
  static final UUID NONE = new UUID(0, 0);

  private VhdxGuid() {}

  static UUID read(Fields fields, int at) {
    Fields bytes = fields.part(at, BYTES);
    long high = bytes.u32(0) << 32 | (long) bytes.u16(4) << 16 | bytes.u16(6);
    return new UUID(high, Long.reverseBytes(bytes.bits64(8)));
  }

  static byte[] bytes(UUID guid) {
    long high = guid.getMostSignificantBits();
    Fields bytes = Fields.zeroes(BYTES, ByteOrder.LITTLE_ENDIAN);
    bytes.put32(0, high >>> 32).put16(4, (int) (high >>> 16)).put16(6, (int) high);
    bytes.put64(8, Long.reverseBytes(guid.getLeastSignificantBits()));
    return bytes.bytes(0, BYTES);
  }
}
