// SPDX-License-Identifier: Apache-2.0
package dev.spindle.testing;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.HotSpotDiagnosticMXBean.ThreadDumpFormat;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.PreInterruptCallback;
import org.junit.jupiter.api.extension.PreInterruptContext;

/**
 * Writes down what every thread does when a test runs into its timeout: virtual threads too, whose
 * stacks nothing else shows. JUnit finds it as a service.
 */
public final class TimeoutDump implements PreInterruptCallback {
  private static final Path FOLDER = Path.of("target", "timeouts");

  /** For the service loader. */
  public TimeoutDump() {}

  @Override
  public void beforeThreadInterrupt(PreInterruptContext timeout, ExtensionContext test)
      throws IOException {
    Files.createDirectories(FOLDER);
    Path file = FOLDER.resolve(name(test) + "-" + System.currentTimeMillis() + ".txt");
    // Only a new file, and only an absolute path, is taken.
    ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
        .dumpThreads(file.toAbsolutePath().toString(), ThreadDumpFormat.TEXT_PLAIN);
    System.err.println("every thread at the timeout: " + file.toAbsolutePath());
  }

  private static String name(ExtensionContext test) {
    return test.getTestClass().map(Class::getSimpleName).orElse("")
        + "."
        + test.getTestMethod().map(method -> method.getName()).orElse("");
  }
}
