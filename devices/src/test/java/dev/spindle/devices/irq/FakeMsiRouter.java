// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.irq;

import dev.spindle.linux.EventFd;
import java.util.ArrayList;
import java.util.List;

/**
 * Message-signalled interrupts without KVM: {@link #deliver} looks at the eventfds and notes the
 * messages of those that are let through, as KVM would send them.
 */
public final class FakeMsiRouter implements MsiRouter {
  /** A message sent to the guest. */
  public record Message(long address, int data) {}

  /** A vector whose state a test may look at. */
  public final class Vector implements MsiVector {
    private final EventFd irqfd;
    private Message message = new Message(0, 0);
    private boolean masked = true;
    private boolean closed;
    private int programmed;

    private Vector(EventFd irqfd) {
      this.irqfd = irqfd;
    }

    @Override
    public void program(long address, int data) {
      message = new Message(address, data);
      programmed++;
    }

    @Override
    public void unmask() {
      masked = false;
      deliver();
    }

    @Override
    public void mask() {
      masked = true;
    }

    @Override
    public boolean pending() {
      long count = masked ? irqfd.read() : 0;
      if (count != 0) {
        irqfd.add(count);
      }
      return count != 0;
    }

    @Override
    public void close() {
      closed = true;
    }

    /** Whether signals are held back. */
    public boolean isMasked() {
      return masked;
    }

    /** Whether the device has given the vector back. */
    public boolean isClosed() {
      return closed;
    }

    /** How often the message was set. */
    public int programmed() {
      return programmed;
    }

    private void deliver() {
      if (!masked && irqfd.read() != 0) {
        sent.add(message);
      }
    }
  }

  private final List<Vector> vectors = new ArrayList<>();
  private final List<Message> sent = new ArrayList<>();

  @Override
  public MsiVector allocate(EventFd irqfd) {
    Vector vector = new Vector(irqfd);
    vectors.add(vector);
    return vector;
  }

  /** The vectors in the order of their allocation. */
  public List<Vector> vectors() {
    return vectors;
  }

  /** Sends the message of every signalled vector that is not masked; all sent since last asked. */
  public List<Message> deliver() {
    vectors.forEach(Vector::deliver);
    List<Message> result = List.copyOf(sent);
    sent.clear();
    return result;
  }
}
