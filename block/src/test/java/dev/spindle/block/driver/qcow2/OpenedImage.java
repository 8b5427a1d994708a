// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** An image in memory, as one thread uses it. */
final class OpenedImage {
  final Qcow2Image image;
  final ImageWriter writer;
  final Qcow2Io io;

  OpenedImage(Storage file, Storage data, Backing backing, boolean writable) throws Qcow2Exception {
    this.image = Qcow2Image.open(words -> {}, file, Qcow2Options.DEFAULT, writable);
    this.writer = new ImageWriter(image);
    this.io = new Qcow2Io(file, data, backing);
  }

  private OpenedImage(OpenedImage other, Storage file) {
    this.image = other.image;
    this.writer = other.writer;
    this.io = new Qcow2Io(file, file, null);
  }

  /** The same image, for another thread with its own way to the file. */
  OpenedImage on(Storage file) {
    return new OpenedImage(this, file);
  }

  static OpenedImage writable(Storage file) throws Qcow2Exception {
    return new OpenedImage(file, file, null, true);
  }

  static OpenedImage readOnly(Storage file) throws Qcow2Exception {
    return new OpenedImage(file, file, null, false);
  }

  private static IoVector vector(byte[] data) {
    MemorySegment memory = Arena.ofAuto().allocate(Math.max(1, data.length), 8);
    MemorySegment.copy(data, 0, memory, ValueLayout.JAVA_BYTE, 0, data.length);
    IoVector vector = new IoVector(2);
    int half = data.length / 2;
    vector.add(memory, 0, half);
    vector.add(memory, half, data.length - half);
    return vector;
  }

  byte[] read(long offset, int length) throws Qcow2Exception {
    byte[] noise = new byte[length];
    Arrays.fill(noise, (byte) 0xee);
    IoVector vector = vector(noise);
    image.read(io, offset, vector, 0, length);
    byte[] result = new byte[length];
    vector.copyTo(0, MemorySegment.ofArray(result), 0, length);
    return result;
  }

  byte[] all() throws Qcow2Exception {
    return read(0, (int) image.length());
  }

  void write(long offset, byte[] data) throws Qcow2Exception {
    writer.write(io, offset, vector(data), 0, data.length);
  }

  void writePacked(long offset, byte[] data) throws Qcow2Exception {
    writer.writePacked(io, offset, vector(data), 0, data.length);
  }

  void settle() throws Qcow2Exception {
    image.settle(io);
  }
}
