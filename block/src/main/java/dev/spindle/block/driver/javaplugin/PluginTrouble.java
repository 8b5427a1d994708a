// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.FileTrouble;
import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/** Something that a plugin has thrown, as a sentence that its author can do something with. */
final class PluginTrouble {
  private PluginTrouble() {}

  /**
   * Says what was thrown, and where in the plugin's source, unless the plugin has said it all.
   *
   * @param plugin the plugin's class
   */
  static String sentence(Throwable thrown, String plugin) {
    Throwable cause = cause(thrown);
    if (cause instanceof BlockException || cause instanceof OptionException) {
      return cause.getMessage();
    }
    Optional<StackTraceElement> place = place(cause, plugin).or(() -> place(thrown, plugin));
    // What it throws itself is its own sentence.
    boolean own =
        cause instanceof IOException
            && cause.getMessage() != null
            && place.equals(Arrays.stream(cause.getStackTrace()).findFirst());
    return own ? cause.getMessage() : text(cause) + place.map(PluginTrouble::text).orElse("");
  }

  /** Looks behind what only says that something else was thrown. */
  private static Throwable cause(Throwable thrown) {
    Throwable cause = thrown;
    while (cause.getCause() != null
        && (cause instanceof ExceptionInInitializerError
            || cause instanceof InvocationTargetException
            || cause instanceof ServiceConfigurationError
            || cause instanceof CompletionException
            || cause instanceof ExecutionException
            || cause instanceof UncheckedIOException)) {
      cause = cause.getCause();
    }
    return cause;
  }

  private static Optional<StackTraceElement> place(Throwable thrown, String plugin) {
    return Arrays.stream(thrown.getStackTrace())
        .filter(
            frame ->
                PluginClassLoader.NAME.equals(frame.getClassLoaderName())
                    || frame.getClassName().equals(plugin)
                    || frame.getClassName().startsWith(plugin + "$"))
        .findFirst();
  }

  private static String text(Throwable cause) {
    return switch (cause) {
      case IOException e -> FileTrouble.sentence(e);
      case OutOfMemoryError _ -> "there is not enough memory";
      default ->
          cause.getClass().getSimpleName()
              + (cause.getMessage() == null ? "" : ": " + cause.getMessage());
    };
  }

  private static String text(StackTraceElement place) {
    return place.getFileName() == null
        ? " (in " + place.getClassName() + ")"
        : " (%s:%d)".formatted(place.getFileName(), place.getLineNumber());
  }
}
