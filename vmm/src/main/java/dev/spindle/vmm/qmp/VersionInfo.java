// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

/**
 * Which version this is: QAPI's VersionInfo, with Spindle's own numbers where QEMU has its own.
 *
 * @param packageName {@code spindle}
 */
public record VersionInfo(
    @QapiName("qemu") VersionTriple numbers, @QapiName("package") String packageName) {
  /** Three numbers. */
  public record VersionTriple(long major, long minor, long micro) {}

  /**
   * Of a module.
   *
   * @param raw its version: {@code 0.1.0}, with whatever follows
   */
  public static VersionInfo of(String raw) {
    String[] parts = raw.split("[^0-9]+", 4);
    return new VersionInfo(
        new VersionTriple(part(parts, 0), part(parts, 1), part(parts, 2)), "spindle " + raw);
  }

  private static long part(String[] parts, int index) {
    return index < parts.length && !parts[index].isEmpty() ? Long.parseLong(parts[index]) : 0;
  }
}
