// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

/**
 * What a guest can ask of the machine as a whole. Called on the vCPU thread that asked, perhaps
 * more than once: note the request and return, so that the vCPU can be stopped like the others.
 */
public interface PowerControl {
  /** The guest has switched the power off. */
  void requestShutdown();

  /** The guest wants the machine reset. */
  void requestReset();
}
