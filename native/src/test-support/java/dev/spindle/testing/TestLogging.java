// SPDX-License-Identifier: Apache-2.0
package dev.spindle.testing;

import ch.qos.logback.classic.BasicConfigurator;
import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import ch.qos.logback.core.spi.ContextAwareBase;
import org.slf4j.Logger;

/**
 * Shows warnings and errors of what is tested: an exception on a context's thread, for one, which
 * ends nothing there, but leaves others waiting. Tests that want to know of errors find the first
 * one in the system property {@code spindle.test.error}; with {@code spindle.test.log-level=ERROR}
 * warnings are not shown. Logback finds it as a service.
 */
public final class TestLogging extends ContextAwareBase implements Configurator {
  /** For the service loader. */
  public TestLogging() {}

  @Override
  public ExecutionStatus configure(LoggerContext context) {
    BasicConfigurator console = new BasicConfigurator();
    console.setContext(context);
    console.configure(context);
    FirstError first = new FirstError();
    first.setContext(context);
    first.start();
    ch.qos.logback.classic.Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.addAppender(first);
    root.setLevel(Level.toLevel(System.getProperty("spindle.test.log-level"), Level.WARN));
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }

  private static final class FirstError extends AppenderBase<ILoggingEvent> {
    @Override
    protected void append(ILoggingEvent event) {
      if (event.getLevel() == Level.ERROR) {
        System.getProperties().putIfAbsent("spindle.test.error", event.getFormattedMessage());
      }
    }
  }
}
