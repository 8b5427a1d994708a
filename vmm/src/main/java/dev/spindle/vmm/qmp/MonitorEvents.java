// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Tells every monitor what happens. Any thread; never waits. */
public final class MonitorEvents {
  private final List<QmpMonitor> monitors = new CopyOnWriteArrayList<>();

  /** No monitors yet. */
  public MonitorEvents() {}

  void add(QmpMonitor monitor) {
    monitors.add(monitor);
  }

  void remove(QmpMonitor monitor) {
    monitors.remove(monitor);
  }

  /** Tells an event that has just happened. */
  public <D extends Record> void tell(QmpEvent<D> event, D data) {
    if (monitors.isEmpty()) {
      return;
    }
    Instant now = Instant.now();
    JsonNodeFactory nodes = JsonNodeFactory.instance;
    ObjectNode timestamp = nodes.objectNode();
    timestamp.put("seconds", now.getEpochSecond());
    timestamp.put("microseconds", now.getNano() / 1000);
    ObjectNode message = nodes.objectNode();
    message.set("timestamp", timestamp);
    message.put("event", event.name());
    if (data.getClass().getRecordComponents().length > 0) {
      message.set("data", ReplyWriter.write(data));
    }
    monitors.forEach(monitor -> monitor.event(message));
  }
}
