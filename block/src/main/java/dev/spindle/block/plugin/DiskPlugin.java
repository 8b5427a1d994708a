// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Locale;

/**
 * What drivers and filters have in common: their life, and how requests may come. Each node has an
 * instance of its own, made with a constructor without parameters, which does no more than that.
 *
 * <p>As a service ({@link java.util.ServiceLoader}) a plugin is provided under this type.
 */
public sealed interface DiskPlugin extends AutoCloseable permits DiskDriver, DiskFilter {
  /**
   * The name in {@code driver=…} for a plugin that is found as a service; unused otherwise. The
   * class's own name in lower case unless overridden. Any thread.
   *
   * @return a word, as {@code file} is one
   */
  default String name() {
    return getClass().getSimpleName().toLowerCase(Locale.ROOT);
  }

  /**
   * Takes the options that the user gave for the node, each with its type and default: {@code size
   * = options.size("size", 64 << 20)}. What is asked for here is what exists: anything else that
   * the user gave is refused, with a hint at what he may have meant. Opens nothing. Also called,
   * with an instance of its own, to list the options for help; each answer is then the default.
   *
   * <p>The names {@code driver}, {@code node-name}, {@code read-only}, {@code source}, {@code
   * class}, {@code jar} and a filter's {@code file} are taken already.
   *
   * @param options what the user gave, but for those
   * @throws OptionException if an option is missing or has no such value: {@link Options} throws
   *     it, or the plugin with a sentence of its own
   */
  default void configure(Options options) throws OptionException {}

  /**
   * Opens what the disk needs; the last thing before requests come. Nothing unless overridden.
   *
   * @throws Exception if that fails, with a sentence for the user; {@link #close} is not called
   *     then
   */
  default void open() throws Exception {}

  /**
   * How many requests may come at once. Asked once, after {@link #open}.
   *
   * @return {@link ThreadModel#SERIALIZED} unless overridden
   */
  default ThreadModel threadModel() {
    return ThreadModel.SERIALIZED;
  }

  /**
   * Whether requests need threads of the node's own. Asked once, after {@link #open}.
   *
   * <p>Unless they do, a request is a virtual thread that the disk's iothread carries: fast, and
   * free to wait in all ways in which a virtual thread lets go of its carrier: locks, queues,
   * {@link Thread#sleep}, sockets and channels of sockets. While it computes, or waits in a way
   * that holds its carrier ({@link java.nio.channels.FileChannel} and everything else on files,
   * name look-ups, native code), every other disk on that iothread waits too. A driver that does
   * more than microseconds of that returns true, and its requests come on platform threads, at most
   * 64, which cost a hand-over each way (tens of microseconds).
   *
   * @return false unless overridden
   */
  default boolean needsOwnThreads() {
    return false;
  }

  /**
   * The unit that reads and writes of this plugin come in: offsets and lengths are multiples of it,
   * whatever the user asks for; what is not is read, changed and written back. Asked once, after
   * {@link #open}.
   *
   * @return bytes, a power of two from 1 to 65536; 1 unless overridden
   */
  default int blockSize() {
    return 1;
  }

  /**
   * Gives up what {@link #open} took; no request is on its way, and none will come. Nothing unless
   * overridden. What it throws is logged.
   */
  @Override
  default void close() throws Exception {}
}
