// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ThrottleLimitsTest {
  @Test
  void readsEveryNameInBothSpellings() throws Exception {
    String[] names = {
      "iops-total", "iops-read", "iops-write", "bps-total", "bps-read", "bps-write"
    };
    for (String prefix : new String[] {"x-", "limits."}) {
      for (String name : names) {
        String key = prefix + name;
        Options options = options(key + "=10," + key + "-max=30," + key + "-max-length=4");
        ThrottleLimits limits = ThrottleLimits.ofGroup(options);
        options.finish();
        BucketLimit[] buckets = buckets(limits);
        for (int i = 0; i < names.length; i++) {
          assertEquals(
              names[i].equals(name) ? new BucketLimit(10, 30, 4) : BucketLimit.NONE, buckets[i]);
        }
        assertTrue(limits.limited());
      }
    }
    Options options = options("throttling.iops-size=4096,throttling.iops-read=5");
    assertEquals(4096, ThrottleLimits.parse(options, "throttling.").iopsSize());
    options.finish();
    assertEquals(ThrottleLimits.NONE, ThrottleLimits.ofGroup(options("id=tg")));
    assertFalse(ThrottleLimits.NONE.limited());
  }

  private static BucketLimit[] buckets(ThrottleLimits limits) {
    return new BucketLimit[] {
      limits.iopsTotal(), limits.iopsRead(), limits.iopsWrite(),
      limits.bpsTotal(), limits.bpsRead(), limits.bpsWrite()
    };
  }

  @Test
  void aChangeLeavesWhatItDoesNotName() throws Exception {
    ThrottleLimits limits =
        ThrottleLimits.parse(options("iops-total=10,iops-total-max=20,bps-read=5"), "");
    ThrottleLimits changed = limits.changedBy(options("bps-read=0,iops-total=15"), "");
    assertEquals(new BucketLimit(15, 20, 1), changed.iopsTotal());
    assertEquals(BucketLimit.NONE, changed.bpsRead());
    assertThrows(OptionException.class, () -> limits.changedBy(options("iops-total=21"), ""));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "iops-total=1,iops-read=1|bps/iops/max total values and read/write values cannot be used at"
            + " the same time",
        "bps-total=1,bps-write=1|bps/iops/max total values and read/write values cannot be used at"
            + " the same time",
        "iops-size=512|iops size requires an iops value to be set",
        "bps-total=5,iops-size=512|iops size requires an iops value to be set",
        "bps-read=1000000000000001|parameter 'bps-read' is '1000000000000001', expected a number"
            + " from 0 to 1000000000000000",
        "bps-read=-1|parameter 'bps-read' is '-1', expected a number from 0 to 1000000000000000",
        "bps-read=1,bps-read-max=1000000000000001|parameter 'bps-read-max' is '1000000000000001',"
            + " expected a number from 0 to 1000000000000000",
        "iops-read=1,iops-read-max=2,iops-read-max-length=0|the burst length cannot be 0",
        "iops-read=1,iops-read-max-length=2|burst length set without burst rate",
        "iops-read=1,iops-read-max=1000000000000000,iops-read-max-length=2|burst length too high"
            + " for this burst rate",
        "iops-write-max=5|iops-write-max needs iops-write",
        "iops-write=5,iops-write-max=4|iops-write-max (4) is less than iops-write (5)",
        "iops-write=5,iops-write-max=9,iops-write-max-length=4294967296|parameter"
            + " 'iops-write-max-length' is '4294967296', expected a number from 0 to 4294967295",
        "bps-total=fast|parameter 'bps-total' is 'fast', expected a number from 0 to"
            + " 1000000000000000",
      })
  void refusesWhatQemuRefuses(String text, String sentence) throws Exception {
    OptionException refusal =
        assertThrows(OptionException.class, () -> ThrottleLimits.parse(options(text), ""));
    assertEquals("--object tg: " + sentence, refusal.getMessage());
  }

  @Test
  void acceptsWhatIsJustAllowed() throws Exception {
    ThrottleLimits.parse(options("bps-read=1000000000000000,bps-write=1,iops-total=1"), "");
    ThrottleLimits.parse(
        options("iops-read=1,iops-read-max=500000000000000,iops-read-max-length=2"), "");
    ThrottleLimits.parse(options("iops-read=5,iops-read-max=5"), "");
  }

  @Test
  void oneLimitIsSpelledOneWay() {
    OptionException refusal =
        assertThrows(
            OptionException.class,
            () -> ThrottleLimits.ofGroup(options("x-bps-read=1,limits.bps-read=1")));
    assertEquals(
        "--object tg: parameters 'x-bps-read' and 'limits.bps-read' are the same",
        refusal.getMessage());
  }

  private static Options options(String text) throws OptionException {
    return new Options("--object tg", KeyValues.parse("--object", text, null));
  }
}
