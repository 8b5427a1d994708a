// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.demo;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.vmm.guest.FioResult;
import org.junit.jupiter.api.Test;

class DemoResultTest {
  @Test
  void jsonIsOneLineWithFiguresToATenth() {
    DemoResult result =
        new DemoResult(
            "host",
            new FioResult(12_345_678.96, 81.25, 80, 300, 0),
            new FioResult(154, 0.04, 0.03, 708.837, 1),
            true,
            2,
            1457,
            1e9,
            37.649);
    assertEquals(
        """
        {"kvm":"host","io_errors":3,"verify":"passed","moves":1457,\
        "longest_hold_us":1000000000.0,"mean_hold_us":37.6,\
        "iops_without_moves":12345679.0,"iops_with_moves":154.0,\
        "latency_us_without_moves":81.3,"latency_us_with_moves":0.0,\
        "p99_us_without_moves":300.0,"p99_us_with_moves":708.8}
        """,
        result.json());
  }
}
