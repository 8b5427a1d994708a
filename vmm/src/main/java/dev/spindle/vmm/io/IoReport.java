// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolOutput;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Locale;

/** What is printed of a request that ended. */
final class IoReport {
  private static final int DUMP_WIDTH = 16;

  private final ToolOutput output;
  private final boolean quiet;
  private final boolean machine;
  private final long startNs = System.nanoTime();

  /** Of one that begins now; {@code -q} says nothing of it, {@code -C} says it for machines. */
  IoReport(ToolOutput output, Parsed parsed) {
    this.output = output;
    this.quiet = parsed.has("q");
    this.machine = parsed.has("C");
  }

  /** It has ended well. */
  void print(String verb, long offset, long bytes) {
    double seconds = Math.max(1, System.nanoTime() - startNs) / 1e9;
    if (quiet) {
      return;
    }
    if (machine) {
      output.println(
          String.format(
              Locale.ROOT,
              "%d,%d,%s,%.3f,%.3f",
              bytes,
              1,
              time(seconds, true),
              bytes / seconds,
              1 / seconds));
      return;
    }
    output.println("%s %d/%d bytes at offset %d".formatted(verb, bytes, bytes, offset));
    output.println(
        String.format(
            Locale.ROOT,
            "%s, %d ops; %s (%s/sec and %.4f ops/sec)",
            ByteCount.exact(bytes),
            1,
            time(seconds, false),
            ByteCount.exact(bytes / seconds),
            1 / seconds));
  }

  private static String time(double seconds, boolean whole) {
    long hundredths = (long) (seconds * 100);
    long hours = hundredths / 360_000;
    long minutes = hundredths / 6000 % 60;
    String rest = String.format(Locale.ROOT, "%02d.%02d", hundredths / 100 % 60, hundredths % 100);
    if (whole) {
      return String.format(Locale.ROOT, "%d:%02d:%s", hours, minutes, rest);
    }
    if (hours > 0) {
      return String.format(Locale.ROOT, "%02d:%02d:%s", hours, minutes, rest);
    }
    return minutes > 0 ? String.format(Locale.ROOT, "%02d:%s", minutes, rest) : rest + " sec";
  }

  /** Says whether a range holds one byte throughout, and if not so, where. */
  static boolean verify(
      ToolOutput output, MemorySegment data, long offset, long from, long length, byte pattern) {
    for (long i = from; i < from + length; i++) {
      if (data.get(ValueLayout.JAVA_BYTE, i) != pattern) {
        output.println(
            "Pattern verification failed at offset %d, %d bytes".formatted(offset + from, length));
        return false;
      }
    }
    return true;
  }

  /** Data in hexadecimal and as text. */
  static void dump(ToolOutput output, MemorySegment data, long offset) {
    for (long line = 0; line < data.byteSize(); line += DUMP_WIDTH) {
      StringBuilder hex = new StringBuilder(String.format("%08x:  ", offset + line));
      StringBuilder text = new StringBuilder();
      for (long i = line; i < Math.min(line + DUMP_WIDTH, data.byteSize()); i++) {
        int value = data.get(ValueLayout.JAVA_BYTE, i) & 0xff;
        hex.append(String.format("%02x ", value));
        boolean plain = value < 128 && Character.isLetterOrDigit(value);
        text.append(plain ? (char) value : '.');
      }
      output.println(hex + " " + text);
    }
  }
}
