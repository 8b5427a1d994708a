// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class LeakyBucketTest {
  private static final long SECOND = 1_000_000_000;
  private static final MathContext EXACT = new MathContext(60);

  @Test
  void withoutALimitNothingWaits() {
    LeakyBucket bucket = bucket(0, 0, 1);
    bucket.add(1e18);
    assertEquals(0, bucket.waitNs());
  }

  @Test
  void aTenthOfASecondPassesAtOnce() {
    LeakyBucket bucket = bucket(100, 0, 1);
    bucket.add(10);
    assertEquals(0, bucket.waitNs());
    bucket.add(1);
    assertEquals(SECOND / 100, bucket.waitNs());
    bucket.leak(SECOND / 200);
    assertEquals(SECOND / 200, bucket.waitNs());
    bucket.leak(SECOND / 200);
    assertEquals(0, bucket.waitNs());
    bucket.add(1);
    assertEquals(SECOND / 100, bucket.waitNs());
    bucket.leak(1000 * SECOND);
    bucket.add(10);
    assertEquals(0, bucket.waitNs());
  }

  @Test
  void aRequestLargerThanTheBucketPassesAndIsWaitedForAfterwards() {
    LeakyBucket bucket = bucket(1 << 20, 0, 1);
    assertEquals(0, bucket.waitNs());
    bucket.add(10 << 20);
    assertEquals(9_900_000_000L, bucket.waitNs());
  }

  @Test
  void aBurstOfASecondIsOneBucket() {
    LeakyBucket bucket = bucket(100, 2000, 1);
    bucket.add(2000);
    assertEquals(0, bucket.waitNs());
    bucket.add(1);
    assertEquals(SECOND / 100, bucket.waitNs());
  }

  @Test
  void aLongBurstHasARateOfItsOwn() {
    LeakyBucket bucket = bucket(100, 2000, 60);
    bucket.add(200);
    assertEquals(0, bucket.waitNs());
    bucket.add(2);
    assertEquals(SECOND / 1000, bucket.waitNs());
    bucket.leak(SECOND);
    // 102 - 0 are left in the large bucket, none in the small one.
    bucket.add(120_000 - 102);
    assertEquals((120_000 - 102 - 200) * (SECOND / 2000), bucket.waitNs());
    bucket.leak(60 * SECOND);
    // 114000 are left in the large one.
    bucket.add(6_000);
    bucket.leak(3 * SECOND);
    bucket.add(200);
    bucket.leak(SECOND / 10);
    // 119890 now; the small one has room, yet what is over the brim waits at the average.
    bucket.add(111);
    assertEquals(SECOND / 100, bucket.waitNs());
  }

  @ParameterizedTest
  @CsvSource({
    "1,0,1",
    "3,0,1",
    "100,0,1",
    "7,7,1",
    "100,2000,60",
    "123456789,987654321,13",
    "1000000000000000,0,1",
    "1,1000000000000000,1",
    "1,1,1000000000000000"
  })
  void agreesWithExactArithmetic(long average, long max, long maxLength) {
    LeakyBucket bucket = bucket(average, max, maxLength);
    ExactBucket exact = new ExactBucket(average, max, maxLength);
    SplittableRandom random = new SplittableRandom(average ^ max ^ maxLength);
    long most = Math.max(average, max);
    int waits = 0;
    for (int i = 0; i < 5_000; i++) {
      long units = random.nextLong(1, Math.max(2, most / (1L << random.nextInt(12))));
      bucket.add(units);
      exact.add(units);
      long wait = bucket.waitNs();
      BigDecimal expected = exact.waitNs();
      waits += wait > 0 ? 1 : 0;
      assertNear(expected, wait);
      long elapsed = random.nextBoolean() ? wait : random.nextLong(SECOND);
      bucket.leak(elapsed);
      exact.leak(elapsed);
    }
    assertTrue(waits > 100, () -> "too little waited");
  }

  @Test
  void aChangeKeepsWhatFitsAndForgivesTheRest() {
    LeakyBucket bucket = bucket(1000, 0, 1);
    bucket.add(90);
    bucket.configure(new BucketLimit(2000, 0, 1));
    bucket.add(110);
    assertEquals(0, bucket.waitNs());
    bucket.add(2);
    assertEquals(SECOND / 1000, bucket.waitNs());
    bucket.configure(new BucketLimit(10, 0, 1));
    assertEquals(0, bucket.waitNs());
    bucket.add(1);
    assertEquals(SECOND / 10, bucket.waitNs());
    bucket.configure(BucketLimit.NONE);
    bucket.add(1e12);
    bucket.configure(new BucketLimit(10, 0, 1));
    bucket.add(1);
    assertEquals(0, bucket.waitNs());
  }

  private static LeakyBucket bucket(long average, long max, long maxLength) {
    LeakyBucket bucket = new LeakyBucket();
    bucket.configure(new BucketLimit(average, max, maxLength));
    return bucket;
  }

  /** The next nanosecond, or a little off where doubles end. */
  private static void assertNear(BigDecimal expected, long wait) {
    BigDecimal up = expected.setScale(0, RoundingMode.CEILING).min(BigDecimal.valueOf(1L << 60));
    BigDecimal off = up.subtract(BigDecimal.valueOf(wait)).abs();
    BigDecimal allowed = up.multiply(BigDecimal.valueOf(1e-9)).add(BigDecimal.valueOf(2));
    assertTrue(off.compareTo(allowed) <= 0, () -> "expected " + expected + ", was " + wait);
  }

  /** What the definition says, in as many digits as it takes. */
  private static final class ExactBucket {
    private final BigDecimal average;
    private final BigDecimal size;
    private final BigDecimal burstRate;
    private BigDecimal level = BigDecimal.ZERO;
    private BigDecimal burstLevel = BigDecimal.ZERO;

    ExactBucket(long average, long max, long maxLength) {
      this.average = BigDecimal.valueOf(average);
      this.size =
          max == 0
              ? this.average.movePointLeft(1)
              : BigDecimal.valueOf(max).multiply(BigDecimal.valueOf(maxLength));
      this.burstRate = BigDecimal.valueOf(maxLength > 1 ? max : 0);
    }

    void add(long units) {
      level = level.add(BigDecimal.valueOf(units));
      burstLevel = burstLevel.add(BigDecimal.valueOf(units));
    }

    void leak(long ns) {
      BigDecimal seconds = BigDecimal.valueOf(ns).movePointLeft(9);
      level = level.subtract(average.multiply(seconds)).max(BigDecimal.ZERO);
      burstLevel = burstLevel.subtract(burstRate.multiply(seconds)).max(BigDecimal.ZERO);
    }

    BigDecimal waitNs() {
      BigDecimal wait = level.subtract(size).divide(average, EXACT);
      if (burstRate.signum() > 0) {
        BigDecimal over = burstLevel.subtract(burstRate.movePointLeft(1));
        wait = wait.max(over.divide(burstRate, EXACT));
      }
      return wait.max(BigDecimal.ZERO).movePointRight(9);
    }
  }
}
