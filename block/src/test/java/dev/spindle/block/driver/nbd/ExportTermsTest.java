// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static org.junit.jupiter.api.Assertions.assertNotNull;

import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.TransmissionFlags;
import org.junit.jupiter.api.Test;

class ExportTermsTest {
  @Test
  void aServerWhoseFlushesReachLessFarIsNotTheSame() {
    int flags = TransmissionFlags.HAS_FLAGS | TransmissionFlags.SEND_FLUSH;
    ExportTerms before =
        new ExportTerms(
            1 << 20,
            flags | TransmissionFlags.CAN_MULTI_CONN,
            BlockSizes.DEFAULT,
            HeaderStyle.STRUCTURED,
            -1);
    ExportTerms now =
        new ExportTerms(1 << 20, flags, BlockSizes.DEFAULT, HeaderStyle.STRUCTURED, -1);
    assertNotNull(now.unlike(before));
  }
}
