// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

/**
 * How many requests may come to a plugin at once. A disk with several iothreads, or that moves from
 * one to another, has its requests on all of these threads.
 */
public enum ThreadModel {
  /** One after another. Fields need no lock: a request sees what those before it wrote. */
  SERIALIZED,

  /**
   * As many as the disk's users have in flight, at the same time and in any order; fields that
   * requests change are the plugin's to protect. Requests that overlap come only if the user sends
   * them so.
   */
  PARALLEL
}
