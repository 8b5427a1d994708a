// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

/**
 * Feature bits that vhost-user adds to those of virtio, and the protocol's own, as masks of 64-bit
 * words (vhost-user specification, sections "Protocol features" and "Front-end message types").
 */
public final class VhostUserFeatures {
  /** Writes to guest memory are to be logged (VHOST_F_LOG_ALL); among the device's features. */
  public static final long LOG_ALL = 1L << 26;

  /** There are protocol features (VHOST_USER_F_PROTOCOL_FEATURES); among the device's features. */
  public static final long PROTOCOL_FEATURES = 1L << 30;

  /** GET_QUEUE_NUM, and more than one pair of queues. */
  public static final long MQ = 1L << 0;

  /** The log of written pages is shared memory. */
  public static final long LOG_SHMFD = 1L << 1;

  /** A message may ask for an acknowledgement. */
  public static final long REPLY_ACK = 1L << 3;

  /** The back end may send messages of its own. */
  public static final long BACKEND_REQ = 1L << 5;

  /** GET_CONFIG and SET_CONFIG. */
  public static final long CONFIG = 1L << 9;

  /** Requests in flight are noted in memory that outlives the back end. */
  public static final long INFLIGHT_SHMFD = 1L << 12;

  /** RESET_DEVICE. */
  public static final long RESET_DEVICE = 1L << 13;

  /** ADD_MEM_REG and REM_MEM_REG. */
  public static final long CONFIGURE_MEM_SLOTS = 1L << 15;

  /** SET_STATUS and GET_STATUS. */
  public static final long STATUS = 1L << 16;

  private VhostUserFeatures() {}
}
