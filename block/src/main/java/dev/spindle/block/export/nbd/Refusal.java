// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.NbdError;
import java.nio.charset.StandardCharsets;

/** Why a request is not carried out. */
enum Refusal {
  READ_BEYOND_END(NbdError.EINVAL, "the range goes beyond the end of the export"),
  WRITE_BEYOND_END(NbdError.ENOSPC, "the range goes beyond the end of the export"),
  READ_ONLY(NbdError.EPERM, "the export is read-only"),
  UNALIGNED(NbdError.EINVAL, "the range is no multiple of the minimum block size"),
  FLAGS(NbdError.EINVAL, "the command does not take these flags"),
  UNKNOWN_COMMAND(NbdError.EINVAL, "the command is not known"),
  UNEXPECTED_PAYLOAD(NbdError.EINVAL, "the command does not take a payload"),
  NO_PAYLOAD(NbdError.EINVAL, "the command needs a payload"),
  TOO_LONG(NbdError.EINVAL, "more than the maximum payload"),
  TOO_LONG_TO_SPLIT(NbdError.EOVERFLOW, "more than the maximum payload"),
  NO_CONTEXT(NbdError.EINVAL, "no metadata context was chosen"),
  WRONG_CONTEXTS(NbdError.EINVAL, "the list of metadata contexts is not right");

  private final int error;
  private final byte[] text;

  Refusal(int error, String text) {
    this.error = error;
    this.text = text.getBytes(StandardCharsets.UTF_8);
  }

  /** An {@link NbdError}. */
  int error() {
    return error;
  }

  /** What to tell people; not to be changed. */
  byte[] text() {
    return text;
  }
}
