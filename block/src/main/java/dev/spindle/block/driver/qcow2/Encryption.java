// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.crypto.CryptLane;
import dev.spindle.block.crypto.LockedLane;
import dev.spindle.block.crypto.LuksHeader;
import dev.spindle.block.crypto.LuksKey;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.RangeLocks;
import java.util.Optional;

/**
 * How the guest's clusters of an encrypted image are read and written. Sectors are numbered by
 * their places in the file that holds them: a cluster that moves is enciphered anew. Tables and
 * compressed clusters are in the clear.
 */
final class Encryption {
  private final LuksHeader header;

  /** Null where nobody is to see the data. */
  private final LuksKey key;

  private final RangeLocks writes = new RangeLocks();

  private Encryption(LuksHeader header, LuksKey key) {
    this.header = header;
    this.key = key;
  }

  /**
   * Reads an image's LUKS header, and unlocks it. Straight-line code; takes as long as trying a
   * password is to take.
   *
   * @param file with the image's tables
   * @param password empty to see only what the header says
   * @throws Qcow2Exception if there is no such header, or the password is none of its
   */
  static Encryption open(ImageFile file, EncryptionHeader place, Optional<byte[]> password)
      throws Qcow2Exception {
    try {
      LuksHeader header = LuksKey.readHeader(file, place.offset());
      // All keys lie before the data, which here are elsewhere.
      if (header.payloadOffset() == 0 || header.payloadOffset() > place.length()) {
        throw new ImageException(
            "The LUKS header reaches up to %d, and the image has %d bytes for it"
                .formatted(header.payloadOffset(), place.length()));
      }
      LuksKey key =
          password.isEmpty() ? null : LuksKey.unlock(file, place.offset(), header, password.get());
      return new Encryption(header, key);
    } catch (ImageException e) {
      throw new Qcow2Exception(e.errno(), e.getMessage());
    }
  }

  LuksHeader header() {
    return header;
  }

  /** Whether nobody has given the password, and nothing is to be seen or written. */
  boolean isLocked() {
    return key == null;
  }

  /** A lane to the data, deciphered, which closes the one below. */
  BlockLane over(AioContext context, String nodeName, BlockLane below) {
    return key == null
        ? new LockedLane(below)
        : new CryptLane(context, "luks-" + nodeName, below, key, 0, writes);
  }
}
