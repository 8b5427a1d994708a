// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;

/** A monitor whose client is whoever writes standard input and reads standard output. */
public final class QmpStdio implements AutoCloseable {
  private static final String NAME = "qmp-stdio";

  private final QmpMonitor monitor;

  /** Begins to converse. */
  public QmpStdio(MonitorSite site) {
    monitor =
        new QmpMonitor(
            NAME,
            new FileInputStream(FileDescriptor.in),
            new FileOutputStream(FileDescriptor.out),
            site,
            () -> {});
    Thread.ofPlatform().daemon().name(NAME).start(monitor::run);
  }

  /** Has all answered that has been read. Not from control work. */
  @Override
  public void close() {
    monitor.finish();
  }
}
