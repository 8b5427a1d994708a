// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.image.CheckableImage;
import dev.spindle.block.image.CheckableImage.Repair;
import java.util.Set;
import java.util.function.Consumer;

/** Counts what a check finds and mends, and says so line by line. One thread. */
public final class CheckTally {
  private final Set<Repair> repairs;
  private final Consumer<String> messages;
  private long corruptions;
  private long leaks;
  private long corruptionsFixed;
  private long leaksFixed;
  private long imageEnd;
  private long clusters;
  private long allocated;
  private long fragmented;

  CheckTally(Set<Repair> repairs, Consumer<String> messages) {
    this.repairs = repairs;
    this.messages = messages;
  }

  /** Whether anything is to be mended. */
  public boolean repairs() {
    return !repairs.isEmpty();
  }

  /**
   * An error was found.
   *
   * @return whether it is to be mended, and counts as mended
   */
  public boolean error(String what) {
    boolean mend = say(Repair.ERRORS, what);
    if (mend) {
      corruptionsFixed++;
    } else {
      corruptions++;
    }
    return mend;
  }

  /** An error was found that cannot be mended. */
  public void lastingError(String what) {
    messages.accept("ERROR " + what);
    corruptions++;
  }

  /** An error was mended when the image was opened. */
  public void alreadyMended() {
    corruptionsFixed++;
  }

  /**
   * Clusters were found that nothing leads to.
   *
   * @return whether they are to be given up, and count as mended
   */
  public boolean leak(long count, String what) {
    boolean mend = say(Repair.LEAKS, what);
    if (mend) {
      leaksFixed += count;
    } else {
      leaks += count;
    }
    return mend;
  }

  private boolean say(Repair repair, String what) {
    boolean mend = repairs.contains(repair);
    messages.accept((mend ? "Repairing " : "ERROR ") + what);
    return mend;
  }

  /** Says how full the image is: see {@link CheckableImage.Result}. */
  public void usage(long all, long used, long notInOrder, long end) {
    clusters = all;
    allocated = used;
    fragmented = notInOrder;
    imageEnd = end;
  }

  CheckableImage.Result result() {
    return new CheckableImage.Result(
        corruptions,
        leaks,
        0,
        corruptionsFixed,
        leaksFixed,
        imageEnd,
        clusters,
        allocated,
        fragmented,
        0);
  }
}
