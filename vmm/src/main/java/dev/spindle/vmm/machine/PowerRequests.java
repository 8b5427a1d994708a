// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.MainLoop;
import dev.spindle.devices.platform.PowerControl;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries what the guest and its vCPUs want from their threads to the main loop. The first request
 * counts; those that follow before it is served are dropped, as the guest is about to end anyway.
 */
final class PowerRequests implements PowerControl, VcpuEvents {
  private static final Logger LOG = LoggerFactory.getLogger(PowerRequests.class);

  private final MainLoop loop;
  private final Machine machine;

  /** Whether a request is on its way. Protected by this object's monitor for writing. */
  private volatile boolean requested;

  PowerRequests(MainLoop loop, Machine machine) {
    this.loop = loop;
    this.machine = machine;
  }

  /** Forgets a request that has been served. Main loop, while no vCPU executes. */
  synchronized void clear() {
    requested = false;
  }

  @Override
  public boolean isPowerRequested() {
    return requested;
  }

  @Override
  public void requestShutdown() {
    request("guest-shutdown", Machine::guestShutDown);
  }

  @Override
  public void requestReset() {
    resetRequested("the guest asked for it");
  }

  @Override
  public void resetRequested(String reason) {
    request("guest-reset", target -> target.guestReset(reason));
  }

  @Override
  public void shutdownRequested() {
    requestShutdown();
  }

  @Override
  public void guestPanicked() {
    machine.requestStop(RunState.GUEST_PANICKED);
  }

  @Override
  public void internalError(String sentence, String registers) {
    request("internal-error", target -> target.internalError(sentence, registers));
  }

  private synchronized void request(String what, Consumer<Machine> action) {
    if (!requested) {
      requested = true;
      post(what, action);
    }
  }

  /** Has {@code action} done as control work soon. Any thread. */
  void post(String what, Consumer<Machine> action) {
    loop.start(
            what,
            () -> {
              action.accept(machine);
              return null;
            })
        .whenComplete(
            (done, failure) -> {
              if (failure != null) {
                LOG.error("{} failed", what, failure);
              }
            });
  }
}
