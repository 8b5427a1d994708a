// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.Kind;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.VringFile;
import dev.spindle.linux.Fd;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * One message between front end and back end (vhost-user specification, section "Message
 * specification"), either way.
 *
 * @param request what is asked, or answered
 * @param reply whether it is an answer of the back end
 * @param needReply whether the front end asks for an acknowledgement
 * @param payload what it carries
 * @param descriptors what goes along; of a received message they are the receiver's to close
 */
public record VhostUserMessage(
    VhostUserRequest request,
    boolean reply,
    boolean needReply,
    VhostUserPayload payload,
    List<Fd> descriptors) {
  /** The bytes before the payload: code, flags, and the payload's size. */
  static final int HEADER_BYTES = 12;

  /** More bytes than any payload has. */
  static final int MOST_PAYLOAD_BYTES = 4096;

  private static final int VERSION_MASK = 3;
  private static final int VERSION = 1;
  private static final int REPLY = 1 << 2;
  private static final int NEED_REPLY = 1 << 3;

  /** Keeps an immutable copy. */
  public VhostUserMessage {
    descriptors = List.copyOf(descriptors);
  }

  /** A request without descriptors that asks for no acknowledgement. */
  public static VhostUserMessage of(VhostUserRequest request, VhostUserPayload payload) {
    return new VhostUserMessage(request, false, false, payload, List.of());
  }

  /** An answer to this message. */
  public VhostUserMessage answer(VhostUserPayload answer, List<Fd> sent) {
    return new VhostUserMessage(request, true, false, answer, sent);
  }

  /** As bytes, the descriptors apart. */
  byte[] encode() {
    ByteBuffer buffer =
        ByteBuffer.allocate(HEADER_BYTES + payload.size()).order(ByteOrder.LITTLE_ENDIAN);
    buffer.putInt(request.code());
    buffer.putInt(VERSION | (reply ? REPLY : 0) | (needReply ? NEED_REPLY : 0));
    buffer.putInt(payload.size());
    payload.encode(buffer);
    return buffer.array();
  }

  /**
   * A message's head.
   *
   * @param code any 32 bits
   * @param flags any 32 bits, but for the version, which is right
   * @param payloadBytes 0 to {@link #MOST_PAYLOAD_BYTES}
   */
  record Header(int code, int flags, int payloadBytes) {
    static Header decode(byte[] bytes) throws VhostUserException {
      ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      Header header = new Header(buffer.getInt(), buffer.getInt(), buffer.getInt());
      if ((header.flags & VERSION_MASK) != VERSION) {
        throw new VhostUserException(
            "a message of version " + (header.flags & VERSION_MASK) + ", not " + VERSION);
      }
      if (Integer.compareUnsigned(header.payloadBytes, MOST_PAYLOAD_BYTES) > 0) {
        throw new VhostUserException(
            "a message of " + Integer.toUnsignedString(header.payloadBytes) + " bytes");
      }
      return header;
    }
  }

  /**
   * Reads a message.
   *
   * @param answer whether it comes from a back end
   * @throws VhostUserException if it is none, or the descriptors are not those that it needs; they
   *     stay the caller's then
   */
  static VhostUserMessage decode(Header header, byte[] bytes, List<Fd> descriptors, boolean answer)
      throws VhostUserException {
    VhostUserRequest request =
        VhostUserRequest.of(header.code())
            .orElseThrow(
                () ->
                    new VhostUserException(
                        "an unknown message " + Integer.toUnsignedString(header.code())));
    if (((header.flags() & REPLY) != 0) != answer) {
      throw new VhostUserException(request + (answer ? " is no reply" : " is a reply"));
    }
    Kind kind = answer ? request.reply().orElse(Kind.WORD) : request.payload();
    VhostUserPayload payload;
    try {
      payload = kind.decode(bytes);
    } catch (VhostUserException e) {
      throw new VhostUserException(request + ": " + e.getMessage(), e);
    }
    if (!answer) {
      checkDescriptors(request, payload, descriptors.size());
    }
    return new VhostUserMessage(
        request, answer, (header.flags() & NEED_REPLY) != 0, payload, descriptors);
  }

  private static void checkDescriptors(
      VhostUserRequest request, VhostUserPayload payload, int count) throws VhostUserException {
    boolean right =
        request.takes(count)
            && switch (payload) {
              case VringFile file -> count == (file.withDescriptor() ? 1 : 0);
              case MemoryTable table -> count == table.regions().size();
              default -> true;
            };
    if (!right) {
      throw new VhostUserException(request + " comes with " + count + " descriptors");
    }
  }

  /** Closes what came along. */
  void closeDescriptors() {
    descriptors.forEach(Fd::close);
  }
}
