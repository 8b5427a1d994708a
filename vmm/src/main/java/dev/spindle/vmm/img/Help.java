// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

/** What {@code img --help} and {@code --version} say. */
final class Help {
  private Help() {}

  static String version(String program) {
    String version = Help.class.getModule().getDescriptor().rawVersion().orElse("(not packaged)");
    return program + " of Spindle " + version + "\n";
  }

  static String text(String program) {
    return """
    usage: %s COMMAND [OPTION...] FILE...

    Makes, describes, copies and changes disk images. Command lines and output are those of
    QEMU's qemu-img.

      amend    -o OPTIONS [-f FORMAT] [-t CACHE] [-p] [-q] FILE
      bench    [-c COUNT] [-d DEPTH] [-s SIZE] [-S STEP] [-o OFFSET] [-w] [--pattern BYTE]
               [--flush-interval COUNT [--no-drain]] [-t CACHE] [-f FORMAT] [-U] FILE
      bitmap   (--add | --remove | --clear | --enable | --disable | --merge BITMAP)...
               [-b FILE [-F FORMAT]] [-g GRANULARITY] [-f FORMAT] FILE BITMAP
      check    [-f FORMAT] [-r leaks|all] [--output human|json] [-q] [-U] FILE
      compare  [-f FORMAT] [-F FORMAT] [-s] [-p] [-q] [-U] FILE FILE
      convert  [-f FORMAT] [-O FORMAT] [-o OPTIONS] [-n] [-S SIZE] [-m COUNT] [-W] [-p] [-q]
               [-t CACHE] [-T CACHE] [--bitmaps [--skip-broken-bitmaps]] [-U] FILE... FILE
      create   [-f FORMAT] [-o OPTIONS] [-b FILE] [-F FORMAT] [-q] [-u] FILE [SIZE]
      dd       [-f FORMAT] [-O FORMAT] [bs=SIZE] [count=N] [skip=N] if=FILE of=FILE
      info     [-f FORMAT] [--output human|json] [--backing-chain] [-U] FILE
      map      [-f FORMAT] [--output human|json] [-s OFFSET] [-l SIZE] [-U] FILE
      measure  [-f FORMAT] [-O FORMAT] [-o OPTIONS] [--output human|json] [-l SNAPSHOT]
               --size SIZE | FILE
      resize   [-f FORMAT] [--shrink] [--preallocation MODE] [-q] FILE [+|-]SIZE
      snapshot [-l | -a SNAPSHOT | -c SNAPSHOT | -d SNAPSHOT] [-q] [-U] FILE

    FILE is a path, json:{...}, nbd:... or, with --image-opts, driver=...,file.filename=...
    """
        .formatted(program);
  }
}
