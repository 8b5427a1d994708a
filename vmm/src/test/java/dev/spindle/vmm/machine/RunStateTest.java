// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RunStateTest {
  @Test
  void namesAreQapis() {
    List<String> names = new ArrayList<>();
    for (RunState state : RunState.values()) {
      names.add(state.toString());
    }
    assertEquals(
        List.of(
            "prelaunch",
            "running",
            "paused",
            "io-error",
            "internal-error",
            "guest-panicked",
            "watchdog",
            "shutdown"),
        names);
  }

  /** QEMU 10, system/runstate.c, runstate_transitions_def, for the states there are here. */
  @Test
  void transitionsAreQemus() {
    List<String> transitions = new ArrayList<>();
    for (RunState from : RunState.values()) {
      for (RunState to : from.successors()) {
        transitions.add(from + " -> " + to);
      }
    }
    transitions.sort(null);
    assertEquals(
        List.of(
            "guest-panicked -> prelaunch",
            "guest-panicked -> running",
            "internal-error -> paused",
            "internal-error -> prelaunch",
            "io-error -> prelaunch",
            "io-error -> running",
            "paused -> prelaunch",
            "paused -> running",
            "prelaunch -> running",
            "running -> guest-panicked",
            "running -> internal-error",
            "running -> io-error",
            "running -> paused",
            "running -> prelaunch",
            "running -> shutdown",
            "running -> watchdog",
            "shutdown -> paused",
            "shutdown -> prelaunch",
            "watchdog -> prelaunch",
            "watchdog -> running"),
        transitions);
  }

  @Test
  void notifiersStopByPriorityAndStartTheOtherWayRound() {
    VmStateNotifiers notifiers = new VmStateNotifiers();
    List<String> told = new ArrayList<>();
    add(notifiers, told, 5, "late");
    add(notifiers, told, -5, "early");
    VmStateNotifiers.Registration gone = add(notifiers, told, 0, "gone");
    add(notifiers, told, 0, "first of two");
    add(notifiers, told, 0, "second of two");
    gone.close();

    notifiers.notify(false, RunState.PAUSED);
    List<String> stopping =
        List.of("late paused", "second of two paused", "first of two paused", "early paused");
    assertEquals(stopping, told);

    told.clear();
    notifiers.notify(true, RunState.RUNNING);
    assertEquals(
        List.of("early running", "first of two running", "second of two running", "late running"),
        told);
  }

  private static VmStateNotifiers.Registration add(
      VmStateNotifiers notifiers, List<String> told, int priority, String name) {
    return notifiers.add(priority, (running, state) -> told.add(name + " " + state));
  }

  @Test
  void aNotifierRemovedByAnotherIsNotToldAnyMore() {
    VmStateNotifiers notifiers = new VmStateNotifiers();
    List<String> told = new ArrayList<>();
    VmStateNotifiers.Registration victim = add(notifiers, told, 0, "victim");
    notifiers.add(
        1,
        (running, state) -> {
          told.add("remover");
          victim.close();
        });
    notifiers.notify(false, RunState.PAUSED);
    assertEquals(List.of("remover"), told);
  }

  @Test
  void guestTimeStandsStillWhileStopped() {
    long[] host = {1_000};
    VirtualClock clock = new VirtualClock(() -> host[0]);
    assertEquals(0, clock.getAsLong());
    host[0] += 500;
    assertEquals(0, clock.getAsLong());
    clock.start();
    host[0] += 70;
    assertEquals(70, clock.getAsLong());
    clock.stop();
    clock.stop();
    host[0] += 1_000_000;
    assertEquals(70, clock.getAsLong());
    clock.start();
    clock.start();
    host[0] += 5;
    assertEquals(75, clock.getAsLong());
  }
}
