// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.Kind;
import java.util.Optional;

/**
 * What a front end asks of a back end (vhost-user specification, section "Front-end message
 * types"). Only the requests that Spindle knows.
 */
public enum VhostUserRequest {
  GET_FEATURES(1, Kind.EMPTY, Kind.WORD),
  SET_FEATURES(2, Kind.WORD, null),
  SET_OWNER(3, Kind.EMPTY, null),
  RESET_OWNER(4, Kind.EMPTY, null),
  SET_MEM_TABLE(5, Kind.MEMORY_TABLE, null, 0, VhostUserPayload.MemoryTable.MOST_REGIONS),
  SET_LOG_BASE(6, Kind.LOG_AREA, Kind.WORD, 1, 1),
  SET_LOG_FD(7, Kind.WORD, null, 1, 1),
  SET_VRING_NUM(8, Kind.VRING_STATE, null),
  SET_VRING_ADDR(9, Kind.VRING_ADDRESS, null),
  SET_VRING_BASE(10, Kind.VRING_STATE, null),
  GET_VRING_BASE(11, Kind.VRING_STATE, Kind.VRING_STATE),
  SET_VRING_KICK(12, Kind.VRING_FILE, null, 0, 1),
  SET_VRING_CALL(13, Kind.VRING_FILE, null, 0, 1),
  SET_VRING_ERR(14, Kind.VRING_FILE, null, 0, 1),
  GET_PROTOCOL_FEATURES(15, Kind.EMPTY, Kind.WORD),
  SET_PROTOCOL_FEATURES(16, Kind.WORD, null),
  GET_QUEUE_NUM(17, Kind.EMPTY, Kind.WORD),
  SET_VRING_ENABLE(18, Kind.VRING_STATE, null),
  SET_BACKEND_REQ_FD(21, Kind.EMPTY, null, 1, 1),
  GET_CONFIG(24, Kind.CONFIG, Kind.CONFIG),
  SET_CONFIG(25, Kind.CONFIG, null),
  GET_INFLIGHT_FD(31, Kind.INFLIGHT, Kind.INFLIGHT),
  SET_INFLIGHT_FD(32, Kind.INFLIGHT, null, 1, 1),
  RESET_DEVICE(34, Kind.EMPTY, null),
  GET_MAX_MEM_SLOTS(36, Kind.EMPTY, Kind.WORD),
  ADD_MEM_REG(37, Kind.MEMORY_REGION, null, 1, 1),
  REM_MEM_REG(38, Kind.MEMORY_REGION, null, 0, 1),
  SET_STATUS(39, Kind.WORD, null),
  GET_STATUS(40, Kind.EMPTY, Kind.WORD);

  private static final VhostUserRequest[] BY_CODE = byCode();

  private final int code;
  private final Kind payload;
  private final Optional<Kind> reply;
  private final int leastDescriptors;
  private final int mostDescriptors;

  VhostUserRequest(int code, Kind payload, Kind reply) {
    this(code, payload, reply, 0, 0);
  }

  VhostUserRequest(int code, Kind payload, Kind reply, int leastDescriptors, int mostDescriptors) {
    this.code = code;
    this.payload = payload;
    this.reply = Optional.ofNullable(reply);
    this.leastDescriptors = leastDescriptors;
    this.mostDescriptors = mostDescriptors;
  }

  private static VhostUserRequest[] byCode() {
    VhostUserRequest[] requests = new VhostUserRequest[GET_STATUS.code + 1];
    for (VhostUserRequest request : values()) {
      requests[request.code] = request;
    }
    return requests;
  }

  /** The request of a number, if it is one of these. */
  static Optional<VhostUserRequest> of(int code) {
    return code >= 0 && code < BY_CODE.length
        ? Optional.ofNullable(BY_CODE[code])
        : Optional.empty();
  }

  int code() {
    return code;
  }

  /** What it carries. */
  Kind payload() {
    return payload;
  }

  /**
   * What the answer carries that it always gets. The others get one only where REPLY_ACK is
   * negotiated and the message asks for it: a number, 0 for success.
   */
  public Optional<Kind> reply() {
    return reply;
  }

  /** Whether so many descriptors may go along; how many exactly is the payload's to say. */
  boolean takes(int descriptors) {
    return descriptors >= leastDescriptors && descriptors <= mostDescriptors;
  }
}
