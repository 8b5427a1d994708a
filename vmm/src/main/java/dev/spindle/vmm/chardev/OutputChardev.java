// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.StreamSink;
import dev.spindle.devices.serial.Uart16550;
import java.io.IOException;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A chardev without input. */
final class OutputChardev implements Chardev {
  private static final Logger LOG = LoggerFactory.getLogger(OutputChardev.class);

  private final SerialSink sink;
  private final OutputFile file;
  private final AutoCloseable resources;

  /** The file is null if there is none. */
  private OutputChardev(SerialSink sink, OutputFile file, AutoCloseable resources) {
    this.sink = sink;
    this.file = file;
    this.resources = resources;
  }

  /** Drops everything. */
  static OutputChardev discarding() {
    return new OutputChardev(SerialSink.discarding(), null, () -> {});
  }

  /**
   * Writes to a file, which {@link #guestStarts} empties first.
   *
   * @throws IOException with a sentence for the user
   */
  static OutputChardev toFile(String name, Path path) throws IOException {
    OutputFile file = OutputFile.open(path);
    StreamSink sink = new StreamSink(name, file.stream());
    return new OutputChardev(
        sink,
        file,
        () -> {
          sink.close();
          file.close();
        });
  }

  @Override
  public SerialSink sink() {
    return sink;
  }

  @Override
  public void connect(Uart16550 port) {}

  @Override
  public void guestStarts() throws IOException {
    if (file != null) {
      file.empty();
    }
  }

  @Override
  public void close() {
    try {
      resources.close();
    } catch (Exception e) {
      LOG.warn("the end of serial output may be lost: {}", e.getMessage());
    }
  }
}
