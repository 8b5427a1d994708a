// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.block.aio.MainLoop;
import dev.spindle.linux.Endpoint;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The monitors of a program, which share its commands and events. */
public final class Monitors implements AutoCloseable {
  private final MonitorSite site;

  /** What closes those that are open. */
  private final List<Runnable> open = new ArrayList<>();

  private final List<CompletableFuture<?>> waitedFor = new ArrayList<>();

  /** None yet. */
  public Monitors(
      MainLoop mainLoop, CommandTable commands, MonitorEvents events, VersionInfo version) {
    this.site = new MonitorSite(mainLoop, commands, events, version);
  }

  /**
   * Opens one.
   *
   * @throws IOException with a sentence for the user
   */
  public void open(MonitorOption option) throws IOException {
    switch (option) {
      case MonitorOption.Stdio() -> open.add(new QmpStdio(site)::close);
      case MonitorOption.Server(String name, Endpoint endpoint, boolean wait) -> {
        QmpServer server = QmpServer.listen(name, endpoint, site);
        open.add(server::close);
        if (wait) {
          waitedFor.add(server.firstClient());
        }
      }
    }
  }

  /** Completes when all clients are there whom their monitors wait for. */
  public CompletableFuture<Void> ready() {
    return CompletableFuture.allOf(waitedFor.toArray(CompletableFuture<?>[]::new));
  }

  /** Has every client answered what it has asked, and takes no more. Not from control work. */
  @Override
  public void close() {
    open.reversed().forEach(Runnable::run);
    open.clear();
  }
}
