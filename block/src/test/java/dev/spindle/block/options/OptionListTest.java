// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockDrivers;
import dev.spindle.block.options.OptionList.Entry;
import java.util.List;
import org.junit.jupiter.api.Test;

class OptionListTest {
  private static List<Entry> of(String driver) {
    return OptionList.of(BlockDrivers.load().get(driver)::read);
  }

  @Test
  void everyDriverReadsToTheEndWhenNothingIsGiven() {
    for (BlockDriver driver : BlockDrivers.load().values()) {
      assertTrue(!OptionList.of(driver::read).isEmpty(), driver::name);
    }
  }

  @Test
  void kindsAndDefaultsAreWhatTheReaderAsksFor() {
    assertEquals(
        List.of(
            new Entry("size", "SIZE", "1G", false),
            new Entry("latency-ns", "N", "0", false),
            new Entry("read-zeroes", "on|off", "off", false),
            new Entry("read-only", "on|off", "off", false)),
        of("null-co"));
  }

  @Test
  void childrenAndWhatIsLookedAtFirstAreRequired() {
    assertEquals(
        List.of(
            new Entry("read-only", "on|off", "off", false),
            new Entry("children.N", "NODE", "", true),
            new Entry("vote-threshold", "N", "0", true),
            new Entry("blkverify", "on|off", "off", false),
            new Entry("rewrite-corrupted", "on|off", "off", false),
            new Entry("read-pattern", "quorum|fifo", "quorum", false)),
        of("quorum"));
  }

  @Test
  void membersOfListsHaveANumber() {
    List<String> keys = of("blkdebug").stream().map(Entry::key).toList();
    assertTrue(keys.contains("inject-error.N.sector"), keys::toString);
    assertTrue(keys.contains("inject-error.N.iotype"), keys::toString);
    assertTrue(keys.contains("set-state.N.new_state"), keys::toString);
    assertTrue(keys.contains("take-child-perms.…"), keys::toString);
  }
}
