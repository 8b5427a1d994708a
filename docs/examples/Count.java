// SPDX-License-Identifier: Apache-2.0

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskFilter;
import dev.spindle.block.plugin.NextDisk;
import dev.spindle.block.plugin.ThreadModel;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.LongAdder;

/**
 * A filter that counts, and writes the totals to a file in the end: {@code
 * driver=java,source=Count.java,file=NODE,report=totals.txt}.
 */
public final class Count implements DiskFilter {
  private final LongAdder reads = new LongAdder();
  private final LongAdder bytesRead = new LongAdder();
  private final LongAdder writes = new LongAdder();
  private final LongAdder bytesWritten = new LongAdder();
  private final LongAdder flushes = new LongAdder();
  private Path report;

  @Override
  public void configure(Options options) throws OptionException {
    report = Path.of(options.require("report"));
  }

  @Override
  public boolean isTransparent() {
    return true;
  }

  @Override
  public ThreadModel threadModel() {
    return ThreadModel.PARALLEL;
  }

  @Override
  public void read(NextDisk next, MemorySegment data, long offset) throws Exception {
    next.read(data, offset);
    reads.increment();
    bytesRead.add(data.byteSize());
  }

  @Override
  public void write(NextDisk next, MemorySegment data, long offset) throws Exception {
    next.write(data, offset);
    writes.increment();
    bytesWritten.add(data.byteSize());
  }

  @Override
  public void flush(NextDisk next) throws Exception {
    next.flush();
    flushes.increment();
  }

  @Override
  public void close() throws Exception {
    Files.writeString(
        report,
        "reads %d (%d bytes), writes %d (%d bytes), flushes %d%n"
            .formatted(
                reads.sum(), bytesRead.sum(), writes.sum(), bytesWritten.sum(), flushes.sum()));
  }
}
