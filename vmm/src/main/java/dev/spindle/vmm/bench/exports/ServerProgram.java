// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A program that serves a disk. */
enum ServerProgram {
  SPINDLE("Spindle"),
  QEMU_STORAGE_DAEMON("qemu-storage-daemon"),
  QEMU_NBD("qemu-nbd"),
  NBDKIT("nbdkit");

  /** Bytes of the disk that does nothing. */
  static final long NULL_BYTES = 1L << 30;

  /** How every server calls the export. */
  static final String EXPORT = "disk";

  private static final Pattern MAJOR_VERSION = Pattern.compile("version ([0-9]{1,4})[.]");

  private final String title;

  ServerProgram(String title) {
    this.title = title;
  }

  @Override
  public String toString() {
    return title;
  }

  /** Whether it can do that, and is installed. */
  boolean serves(Protocol protocol, ServedDisk disk) {
    return switch (this) {
      case SPINDLE -> true;
      case QEMU_STORAGE_DAEMON -> isInstalled();
      case QEMU_NBD -> protocol == Protocol.NBD && disk != ServedDisk.NULL && isInstalled();
      // It has no O_DIRECT.
      case NBDKIT -> protocol == Protocol.NBD && disk != ServedDisk.DIRECT && isInstalled();
    };
  }

  private boolean isInstalled() {
    for (String folder : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator, -1)) {
      if (!folder.isEmpty() && Files.isExecutable(Path.of(folder, title))) {
        return true;
      }
    }
    return false;
  }

  /**
   * The command that serves a disk at a socket. None of them locks the file, for several serve it
   * at the same time, to be measured in turns.
   *
   * @param file the benchmark's
   * @param queues of vhost-user-blk
   */
  List<String> command(Protocol protocol, ServedDisk disk, int queues, Path file, Path socket) {
    return switch (this) {
      case SPINDLE -> {
        String program = Path.of(System.getProperty("java.home"), "bin", "spindle").toString();
        yield daemon(List.of(program, "storage-daemon"), protocol, disk, queues, file, socket);
      }
      case QEMU_STORAGE_DAEMON ->
          daemon(List.of("qemu-storage-daemon"), protocol, disk, queues, file, socket);
      case QEMU_NBD ->
          List.of(
              "qemu-nbd",
              "--persistent",
              "--shared=0",
              "--format=raw",
              "--aio=io_uring",
              "--cache=" + (disk == ServedDisk.DIRECT ? "none" : "writeback"),
              "--export-name=" + EXPORT,
              "--socket=" + socket,
              file.toString());
      case NBDKIT -> {
        List<String> command =
            new ArrayList<>(List.of("nbdkit", "--foreground", "--unix", socket.toString()));
        command.addAll(
            disk == ServedDisk.NULL
                ? List.of("null", "size=" + NULL_BYTES)
                : List.of("file", file.toString()));
        yield command;
      }
    };
  }

  /** The two daemons that have the same options. */
  private static List<String> daemon(
      List<String> program,
      Protocol protocol,
      ServedDisk disk,
      int queues,
      Path file,
      Path socket) {
    List<String> command = new ArrayList<>(program);
    command.addAll(List.of("--object", "iothread,id=io0", "--blockdev", blockdev(disk, file)));
    switch (protocol) {
      case VHOST_USER_BLK ->
          command.addAll(
              List.of(
                  "--export",
                  "type=vhost-user-blk,id=export,node-name=disk,writable=on,iothread=io0,num-queues="
                      + queues
                      + ",addr.type=unix,addr.path="
                      + socket));
      case NBD ->
          command.addAll(
              List.of(
                  "--nbd-server",
                  "addr.type=unix,addr.path=" + socket,
                  "--export",
                  "type=nbd,id=export,node-name=disk,writable=on,name="
                      + EXPORT
                      + (servesNbdFromIoThread(program.getFirst()) ? ",iothread=io0" : "")));
    }
    return command;
  }

  /**
   * qemu-storage-daemon 7.2, that of Debian 12, aborts when an NBD client of an iothread leaves;
   * version 10, of its backports, does not.
   */
  private static boolean servesNbdFromIoThread(String program) {
    if (!program.equals(QEMU_STORAGE_DAEMON.title)) {
      return true;
    }
    try {
      Process asked = new ProcessBuilder(program, "--version").start();
      String version = new String(asked.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      Matcher major = MAJOR_VERSION.matcher(version);
      return major.find() && Integer.parseInt(major.group(1)) >= 9;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String blockdev(ServedDisk disk, Path file) {
    String named = "node-name=disk,filename=" + file.toString().replace(",", ",,");
    return switch (disk) {
      case DIRECT -> "driver=file,locking=off,aio=io_uring,cache.direct=on," + named;
      case CACHED -> "driver=file,locking=off,aio=io_uring," + named;
      case NULL -> "driver=null-co,read-zeroes=off,node-name=disk,size=" + NULL_BYTES;
    };
  }
}
