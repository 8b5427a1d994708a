// SPDX-License-Identifier: Apache-2.0
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskDriver;
import dev.spindle.block.plugin.ThreadModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A disk in memory: {@code driver=java,source=Ram.java,size=64M}. */
public final class Ram implements DiskDriver {
  private final Arena arena = Arena.ofShared();
  private long size;
  private MemorySegment memory;

  @Override
  public void configure(Options options) throws OptionException {
    size = options.size("size", 64 << 20);
  }

  @Override
  public void open() {
    memory = arena.allocate(size);
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public ThreadModel threadModel() {
    return ThreadModel.PARALLEL;
  }

  @Override
  public void read(MemorySegment data, long offset) {
    data.copyFrom(memory.asSlice(offset, data.byteSize()));
  }

  @Override
  public void write(MemorySegment data, long offset) {
    memory.asSlice(offset, data.byteSize()).copyFrom(data);
  }

  @Override
  public void close() {
    arena.close();
  }
}
