// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.StreamSink;
import dev.spindle.devices.serial.Uart16550;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A chardev without input. */
final class OutputChardev implements Chardev {
  private static final Logger LOG = LoggerFactory.getLogger(OutputChardev.class);

  private final SerialSink sink;
  private final AutoCloseable resources;

  private OutputChardev(SerialSink sink, AutoCloseable resources) {
    this.sink = sink;
    this.resources = resources;
  }

  /** Drops everything. */
  static OutputChardev discarding() {
    return new OutputChardev(SerialSink.discarding(), () -> {});
  }

  /** Writes to a file, emptied first. */
  static OutputChardev toFile(String name, Path path) throws IOException {
    OutputStream stream;
    try {
      stream = new FileOutputStream(path.toFile());
    } catch (IOException e) {
      throw new IOException("--serial file: cannot write to " + e.getMessage(), e);
    }
    return toStream(name, stream);
  }

  /** Writes to a stream, and closes it in the end. */
  static OutputChardev toStream(String name, OutputStream stream) {
    StreamSink sink = new StreamSink(name, stream);
    return new OutputChardev(
        sink,
        () -> {
          sink.close();
          stream.close();
        });
  }

  @Override
  public SerialSink sink() {
    return sink;
  }

  @Override
  public void connect(Uart16550 port) {}

  @Override
  public void close() {
    try {
      resources.close();
    } catch (Exception e) {
      LOG.warn("the end of serial output may be lost: {}", e.getMessage());
    }
  }
}
