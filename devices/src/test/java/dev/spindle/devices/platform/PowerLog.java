// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import java.util.ArrayList;
import java.util.List;

/** Notes what a guest asks of the machine. */
final class PowerLog implements PowerControl {
  private final List<String> requests = new ArrayList<>();

  @Override
  public void requestShutdown() {
    requests.add("shutdown");
  }

  @Override
  public void requestReset() {
    requests.add("reset");
  }

  List<String> take() {
    List<String> result = List.copyOf(requests);
    requests.clear();
    return result;
  }
}
