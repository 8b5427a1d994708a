// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.object;

/** What a user makes with {@code --object} for others to refer to. Immutable. */
public interface UserObject {
  /** Unique among the user's objects. */
  String id();

  /** Its type as the user writes it, for errors. */
  String type();
}
