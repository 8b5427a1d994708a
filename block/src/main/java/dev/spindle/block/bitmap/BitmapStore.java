// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import dev.spindle.block.graph.BlockException;

/**
 * Where persistent bitmaps of a node live on: its image, if the format can keep them. Control side.
 */
public interface BitmapStore {
  /** Whether the image can keep bitmaps at all. */
  boolean isSupported();

  /**
   * Refuses a bitmap that could not be kept; changes nothing.
   *
   * @param granularity bytes for one bit
   * @throws BlockException why
   */
  void checkAddable(String name, long granularity) throws BlockException;

  /**
   * The bitmaps are about to differ from what the image holds, which says so from now on: should
   * this process end before {@link #store}, nobody takes what is there for right. May wait.
   *
   * @throws BlockException if that cannot be written; the bitmaps must not change then
   */
  void willChange() throws BlockException;

  /**
   * Takes a bitmap out of the image, if it holds it; what is recorded of it in memory stays. May
   * wait.
   *
   * @throws BlockException if that cannot be written
   */
  void remove(String name) throws BlockException;

  /**
   * Has the image hold the bitmaps as they are, if it does not. Nobody writes to the node. May
   * wait.
   *
   * @throws BlockException if that is not possible; the image goes on saying that they may be wrong
   */
  void store() throws BlockException;

  /** Of a node whose format keeps no bitmaps. */
  static BitmapStore none(String nodeName) {
    return new BitmapStore() {
      @Override
      public boolean isSupported() {
        return false;
      }

      @Override
      public void checkAddable(String name, long granularity) throws BlockException {
        throw new BlockException(
            "Can't store persistent bitmaps to %s: Operation not supported".formatted(nodeName));
      }

      @Override
      public void willChange() {}

      @Override
      public void remove(String name) {}

      @Override
      public void store() {}
    };
  }
}
