// SPDX-License-Identifier: Apache-2.0
package dev.spindle.testing;

import ch.qos.logback.classic.BasicConfigurator;
import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.core.spi.ContextAwareBase;
import org.slf4j.Logger;

/**
 * Shows warnings and errors of what is tested: an exception on a context's thread, for one, which
 * ends nothing there, but leaves others waiting. Logback finds it as a service.
 */
public final class TestLogging extends ContextAwareBase implements Configurator {
  /** For the service loader. */
  public TestLogging() {}

  @Override
  public ExecutionStatus configure(LoggerContext context) {
    BasicConfigurator console = new BasicConfigurator();
    console.setContext(context);
    console.configure(context);
    context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.WARN);
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }
}
