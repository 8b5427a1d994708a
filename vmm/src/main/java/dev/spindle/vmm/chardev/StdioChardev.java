// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.StreamSink;
import dev.spindle.devices.serial.Uart16550;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Terminal;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Standard input and output. A terminal is switched to raw mode, in which every key goes to the
 * guest but those of {@link EscapeKeys}, and back when this is closed or the process ends, however
 * it ends.
 */
final class StdioChardev implements Chardev {
  private static final Logger LOG = LoggerFactory.getLogger(StdioChardev.class);

  private final OutputStream output = new FileOutputStream(FileDescriptor.out);
  private final StreamSink sink = new StreamSink("stdio", output);
  private final Runnable quit;
  private final boolean isTerminal = Terminal.isTerminal(Fd.standardInput());

  /** Null unless the terminal is in raw mode. Protected by this object's monitor. */
  private RawTerminal terminal;

  /**
   * Takes standard input and output.
   *
   * @param quit ends Spindle; called on a thread of this object's
   */
  StdioChardev(Runnable quit) {
    this.quit = quit;
  }

  @Override
  public SerialSink sink() {
    return sink;
  }

  @Override
  public synchronized void connect(Uart16550 port) {
    EscapeKeys escapes = null;
    if (isTerminal) {
      escapes = new EscapeKeys(quit, this::show);
      try {
        terminal = RawTerminal.enter(Fd.standardInput());
      } catch (IOException e) {
        LOG.warn("the terminal stays as it is: {}", e.getMessage());
      }
    }
    InputPump pump = new InputPump(new FileInputStream(FileDescriptor.in), escapes, port);
    Thread.ofPlatform().daemon().name("stdio-input").start(() -> carry(pump));
  }

  private static void carry(InputPump pump) {
    try {
      pump.run();
    } catch (IOException e) {
      LOG.warn("standard input cannot be read any more: {}", e.getMessage());
    } catch (InterruptedException e) {
      LOG.debug("standard input is not read any more");
    }
  }

  private void show(String text) {
    try {
      output.write(text.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      LOG.debug("no help: {}", e.getMessage());
    }
  }

  @Override
  public synchronized void close() {
    sink.close();
    if (terminal != null) {
      try {
        terminal.close();
      } catch (LinuxException e) {
        LOG.warn("the terminal cannot be restored: {}", e.getMessage());
      }
      terminal = null;
    }
  }
}
