// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.spi.ContextAwareBase;

/**
 * Sends log lines to standard error, from level {@code warn} on, or from the level that the
 * environment variable {@code SPINDLE_LOG} names (error, warn, info, debug, trace, off).
 *
 * <p>Logback finds it as a service, and asks it before it looks for configuration files: reading
 * one would cost more than the rest of a start.
 */
public final class Logging extends ContextAwareBase implements Configurator {
  private static final String LEVEL_VARIABLE = "SPINDLE_LOG";

  /** For the service loader. */
  public Logging() {}

  @Override
  public ExecutionStatus configure(LoggerContext context) {
    PatternLayoutEncoder encoder = new PatternLayoutEncoder();
    encoder.setContext(context);
    encoder.setPattern("%d{HH:mm:ss.SSS} %-5level %logger{0}: %msg%n");
    encoder.start();
    ConsoleAppender<ILoggingEvent> appender = new ConsoleAppender<>();
    appender.setContext(context);
    appender.setTarget("System.err");
    appender.setEncoder(encoder);
    appender.start();
    Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    root.addAppender(appender);
    root.setLevel(Level.WARN);
    String wanted = System.getenv(LEVEL_VARIABLE);
    if (wanted != null) {
      Level level = Level.toLevel(wanted, null);
      if (level == null) {
        context
            .getLogger(Logging.class)
            .warn(
                "{}={} is no level: error, warn, info, debug, trace or off",
                LEVEL_VARIABLE,
                wanted);
      } else {
        root.setLevel(level);
      }
    }
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }
}
