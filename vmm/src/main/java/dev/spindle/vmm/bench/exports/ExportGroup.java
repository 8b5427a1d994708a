// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.vmm.bench.Workload;
import dev.spindle.vmm.bench.Workload.Access;
import java.util.ArrayList;
import java.util.List;

/**
 * Workloads for servers of the same disk.
 *
 * @param queues of vhost-user-blk; 1 for NBD, which has none
 */
record ExportGroup(Protocol protocol, ServedDisk disk, int queues, List<Workload> workloads) {
  private static final int SMALL = 4 << 10;
  private static final int LARGE = 128 << 10;

  /** What tells most: each protocol and disk, short random requests and long sequential ones. */
  static List<ExportGroup> most() {
    List<Workload> random = new ArrayList<>();
    for (int depth : new int[] {32, 1}) {
      random.add(new Workload(Access.RANDREAD, SMALL, depth));
      random.add(new Workload(Access.RANDWRITE, SMALL, depth));
    }
    List<Workload> nbd = new ArrayList<>(random.subList(0, 2));
    nbd.add(new Workload(Access.READ, LARGE, 4));
    nbd.add(new Workload(Access.WRITE, LARGE, 4));
    return List.of(
        new ExportGroup(Protocol.VHOST_USER_BLK, ServedDisk.DIRECT, 1, random),
        new ExportGroup(Protocol.VHOST_USER_BLK, ServedDisk.NULL, 1, random),
        new ExportGroup(Protocol.NBD, ServedDisk.DIRECT, 1, nbd),
        new ExportGroup(Protocol.NBD, ServedDisk.CACHED, 1, nbd),
        new ExportGroup(Protocol.NBD, ServedDisk.NULL, 1, nbd.subList(0, 2)));
  }

  /** Every combination. */
  static List<ExportGroup> all() {
    List<Workload> workloads = new ArrayList<>();
    for (int block : new int[] {SMALL, LARGE}) {
      for (int depth : new int[] {1, 4, 32}) {
        for (Access access : List.of(Access.RANDREAD, Access.RANDWRITE, Access.RANDRW)) {
          workloads.add(new Workload(access, block, depth));
        }
      }
    }
    for (Access access : List.of(Access.READ, Access.WRITE)) {
      workloads.add(new Workload(access, LARGE, 4));
    }
    List<ExportGroup> groups = new ArrayList<>();
    for (ServedDisk disk : ServedDisk.values()) {
      groups.add(new ExportGroup(Protocol.VHOST_USER_BLK, disk, 1, workloads));
      groups.add(new ExportGroup(Protocol.VHOST_USER_BLK, disk, 2, workloads));
      groups.add(new ExportGroup(Protocol.NBD, disk, 1, workloads));
    }
    return groups;
  }

  @Override
  public String toString() {
    String name = protocol + ", " + disk;
    return queues == 1 ? name : name + ", " + queues + " queues";
  }
}
