// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.util.Optional;

/**
 * The declaration of a command: everything that is told of it, read for it and done by it.
 *
 * @param <C> what it acts upon
 * @param <A> its arguments: a record
 * @param <R> its reply
 * @param name as clients write it
 * @param text one or more sentences for the documentation
 * @param arguments the record's class
 * @param returns what its reply is
 * @param place where it runs
 */
public record QmpCommand<C, A extends Record, R>(
    String name,
    String text,
    Class<A> arguments,
    ReplyType<R> returns,
    Place place,
    Handler<C, A, R> handler) {
  /** Where a command runs. */
  public enum Place {
    /** As control work, on the main loop and under the control lock. */
    CONTROL,
    /**
     * As {@link #CONTROL}, or at once on the monitor's own thread, past all commands that are being
     * done or wait, if the client says {@code exec-oob}. Does not wait and may be called by any
     * thread.
     */
    ANYWHERE,
    /** On the monitor's own thread, which may wait; not under the control lock. */
    MONITOR
  }

  /** No arguments. */
  public record None() {}

  /**
   * What a reply is.
   *
   * @param element class of the reply, or of the elements of a list; empty if there is nothing to
   *     tell
   */
  public record ReplyType<R>(Optional<Class<?>> element, boolean isList) {}

  /** What a command does. */
  @FunctionalInterface
  public interface Handler<C, A, R> {
    /**
     * Does it.
     *
     * @throws QmpException or one of the others, with the sentence of the error reply; nothing is
     *     half-done then
     */
    R run(C control, A arguments) throws QmpException, OptionException, IOException;
  }

  /** As {@link Handler}, of a command without arguments. */
  @FunctionalInterface
  public interface Query<C, R> {
    /** Does it. */
    R run(C control) throws QmpException, OptionException, IOException;
  }

  /** As {@link Handler}, of a command without a reply. */
  @FunctionalInterface
  public interface Action<C, A> {
    /** Does it. */
    void run(C control, A arguments) throws QmpException, OptionException, IOException;
  }

  /** A reply of one object. */
  public static <R> ReplyType<R> one(Class<R> type) {
    return new ReplyType<>(Optional.of(type), false);
  }

  /** A reply of a list. */
  public static <R> ReplyType<java.util.List<R>> listOf(Class<R> type) {
    return new ReplyType<>(Optional.of(type), true);
  }

  /** One that asks something and takes no arguments. */
  public static <C, R> QmpCommand<C, None, R> query(
      String name, ReplyType<R> returns, String text, Query<C, R> query) {
    return new QmpCommand<>(
        name, text, None.class, returns, Place.CONTROL, (control, none) -> query.run(control));
  }

  /** One that does something. */
  public static <C, A extends Record> QmpCommand<C, A, Void> action(
      String name, Class<A> arguments, String text, Action<C, A> action) {
    return new QmpCommand<>(
        name,
        text,
        arguments,
        new ReplyType<>(Optional.empty(), false),
        Place.CONTROL,
        (control, given) -> {
          action.run(control, given);
          return null;
        });
  }

  /** The word of an enumeration as clients write it. */
  public static String word(Enum<?> value) {
    return Members.word(value);
  }

  /** The same, elsewhere. */
  public QmpCommand<C, A, R> at(Place elsewhere) {
    return new QmpCommand<>(name, text, arguments, returns, elsewhere, handler);
  }
}
