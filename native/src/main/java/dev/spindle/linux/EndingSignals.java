// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * The signals by which a process is asked to end: SIGTERM, SIGINT and SIGHUP. The JVM catches them
 * for its shutdown hooks, which run once; here each is a call, the second one too. Any thread.
 */
public final class EndingSignals {
  private static final List<String> NAMES = List.of("TERM", "INT", "HUP");

  private EndingSignals() {}

  /**
   * Has {@code handler} called with its number for each of these signals that comes from now on, on
   * a thread of its own; the process does not end by itself any more. A signal that the process was
   * started to ignore (nohup(1), a shell's background) stays ignored.
   */
  public static void handle(IntConsumer handler) {
    try {
      // Module jdk.unsupported's; javac warns of each use of it, and cannot be told not to.
      Class<?> signalType = Class.forName("sun.misc.Signal");
      Class<?> handlerType = Class.forName("sun.misc.SignalHandler");
      Constructor<?> constructor = signalType.getConstructor(String.class);
      Method handle = signalType.getMethod("handle", signalType, handlerType);
      Object ignore = handlerType.getField("SIG_IGN").get(null);
      Object call = asHandler(handler, signalType, handlerType);
      for (String name : NAMES) {
        Object signal = constructor.newInstance(name);
        if (handle.invoke(null, signal, call) == ignore) {
          handle.invoke(null, signal, ignore);
        }
      }
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this Java does not tell of signals", e);
    }
  }

  private static Object asHandler(IntConsumer handler, Class<?> signalType, Class<?> handlerType)
      throws ReflectiveOperationException {
    MethodHandles.Lookup lookup = MethodHandles.publicLookup();
    MethodHandle number =
        lookup.findVirtual(signalType, "getNumber", MethodType.methodType(int.class));
    MethodHandle accept =
        lookup
            .findVirtual(IntConsumer.class, "accept", MethodType.methodType(void.class, int.class))
            .bindTo(handler);
    return MethodHandleProxies.asInterfaceInstance(
        handlerType, MethodHandles.filterArguments(accept, 0, number));
  }
}
