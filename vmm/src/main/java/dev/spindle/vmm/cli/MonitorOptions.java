// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Endpoint;
import dev.spindle.vmm.qmp.MonitorOption;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where users want monitors: {@code --qmp}, and the storage daemon's {@code --chardev} with {@code
 * --monitor}.
 */
final class MonitorOptions {
  static final String QMP = "--qmp";
  static final String CHARDEV = "--chardev";
  static final String MONITOR = "--monitor";

  private static final int MOST_PORT = 65_535;
  private static final String STDIO = "stdio";

  private MonitorOptions() {}

  /**
   * Reads the arguments of {@code --qmp}: {@code stdio}, {@code unix:PATH,server=on[,wait=off]} or
   * {@code tcp:HOST:PORT,server=on[,wait=off]}.
   *
   * @throws OptionException if one is wrong
   */
  static List<MonitorOption> qmp(List<String> arguments) throws OptionException {
    List<MonitorOption> monitors = new ArrayList<>();
    for (String argument : arguments) {
      Options options = KeyValueOptions.parse(QMP, argument, "address");
      String address = options.require("address");
      if (address.equals(STDIO)) {
        monitors.add(new MonitorOption.Stdio());
      } else {
        Endpoint endpoint = endpoint(address);
        monitors.add(new MonitorOption.Server("qmp" + monitors.size(), endpoint, server(options)));
      }
      options.finish();
    }
    return checked(QMP, monitors);
  }

  private static Endpoint endpoint(String address) throws OptionException {
    if (address.startsWith("unix:")) {
      return unix(QMP, address.substring("unix:".length()));
    }
    int port = address.lastIndexOf(':');
    if (address.startsWith("tcp:") && port > "tcp".length()) {
      return inet(QMP, address.substring("tcp:".length(), port), address.substring(port + 1));
    }
    throw new OptionException(
        "%s: '%s' is none of stdio, unix:PATH and tcp:HOST:PORT".formatted(QMP, address));
  }

  /**
   * Reads the arguments of {@code --chardev} and {@code --monitor}.
   *
   * @throws OptionException if one is wrong, or a monitor's character device is not there
   */
  static List<MonitorOption> monitors(List<String> chardevs, List<String> arguments)
      throws OptionException {
    Map<String, MonitorOption> byId = new LinkedHashMap<>();
    for (String chardev : chardevs) {
      Options options = KeyValueOptions.parse(CHARDEV, chardev, "backend");
      String kind = options.choice("backend", "", STDIO, "socket");
      String id = options.require("id");
      MonitorOption described =
          kind.equals(STDIO) ? new MonitorOption.Stdio() : socket(id, options);
      options.finish();
      if (byId.put(id, described) != null) {
        throw new OptionException(CHARDEV + ": duplicate id '" + id + "'");
      }
    }
    List<MonitorOption> monitors = new ArrayList<>();
    for (String argument : arguments) {
      Options options = KeyValueOptions.parse(MONITOR, argument, "chardev");
      String chardev = options.require("chardev");
      options.choice("mode", "control", "control");
      options.bool("pretty", false);
      options.string("id");
      options.finish();
      MonitorOption described = byId.remove(chardev);
      if (described == null) {
        throw new OptionException(
            MONITOR + ": there is no " + CHARDEV + " '" + chardev + "' that is not in use");
      }
      monitors.add(described);
    }
    if (!byId.isEmpty()) {
      throw new OptionException(
          "%s: nothing uses '%s'; a monitor would, with %s chardev=%2$s"
              .formatted(CHARDEV, byId.keySet().iterator().next(), MONITOR));
    }
    return checked(MONITOR, monitors);
  }

  private static MonitorOption socket(String id, Options options) throws OptionException {
    Endpoint endpoint =
        options.peek("path").isPresent() || options.peek("host").isEmpty()
            ? unix(CHARDEV, options.require("path"))
            : inet(CHARDEV, options.require("host"), Long.toString(port(options)));
    return new MonitorOption.Server(id, endpoint, server(options));
  }

  private static long port(Options options) throws OptionException {
    if (options.peek("port").isEmpty()) {
      throw options.missing("port");
    }
    return options.number("port", 0, 0, MOST_PORT);
  }

  /** Returns whether the first client is waited for. */
  private static boolean server(Options options) throws OptionException {
    if (!options.bool("server", false)) {
      throw new OptionException(
          options.owner() + ": a monitor waits for its clients, so server=on must be given");
    }
    return options.bool("wait", true);
  }

  private static Endpoint unix(String option, String path) throws OptionException {
    if (path.isEmpty()) {
      throw new OptionException(option + ": the path of the socket is empty");
    }
    return new Endpoint.Unix(Path.of(path));
  }

  private static Endpoint inet(String option, String host, String port) throws OptionException {
    if (!port.matches("\\d{1,5}") || Integer.parseInt(port) > MOST_PORT) {
      throw new OptionException(option + ": '" + port + "' is no port, 0 to " + MOST_PORT);
    }
    try {
      InetAddress address = InetAddress.getByName(host);
      if (!address.isLoopbackAddress()) {
        throw new OptionException(
            "%s: '%s' can be reached from other machines, and whoever reaches a monitor owns the"
                    .formatted(option, host)
                + " machine; only loopback is served");
      }
      return new Endpoint.Inet(address, Integer.parseInt(port));
    } catch (UnknownHostException e) {
      throw new OptionException(option + ": there is no host '" + host + "'");
    }
  }

  private static List<MonitorOption> checked(String option, List<MonitorOption> monitors)
      throws OptionException {
    if (monitors.stream().filter(MonitorOption.Stdio.class::isInstance).count() > 1) {
      throw new OptionException(option + ": standard input can have only one monitor");
    }
    return List.copyOf(monitors);
  }
}
