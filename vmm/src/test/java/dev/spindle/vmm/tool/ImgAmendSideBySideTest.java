// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code img amend} and {@code img bench} beside qemu-img. */
final class ImgAmendSideBySideTest {
  @TempDir Path folder;
  private SideBySide tools;

  @BeforeEach
  void makeImages() throws Exception {
    tools = new SideBySide(folder);
    tools.hole("raw", 1 << 20);
    run(
        "create -q -f qcow2 @new 4M",
        "create -q -f qcow2 -o compat=0.10 @old 4M",
        "create -q -f qcow2 -o refcount_bits=64 @wide 4M",
        "create -q -f qcow2 -o extended_l2=on @parts 4M",
        "create -q -f qcow2 -b @new -F qcow2 @over");
  }

  @AfterEach
  void assertAlike() {
    tools.assertAlike();
  }

  private void run(String... commands) throws Exception {
    for (String command : commands) {
      tools.img(command);
    }
  }

  @Test
  void refusesWrongAmendments() throws Exception {
    run(
        "amend",
        "amend @new",
        "amend -o size=1M @new @old",
        "amend -o foo=1 @new",
        "amend -o cluster_size=4k @new",
        "amend -o preallocation=full @new",
        "amend -o extended_l2=on @new",
        "amend -o compression_type=zstd @new",
        "amend -o compat=0.42 @new",
        "amend -o lazy_refcounts=x @new",
        "amend -o refcount_bits=x @new",
        "amend -o refcount_bits=3 @new",
        "amend -o refcount_bits=128 @new",
        "amend -o refcount_bits=64 @old",
        "amend -o compat=0.10,refcount_bits=1 @new",
        "amend -o lazy_refcounts=on @old",
        "amend -o compat=0.10,lazy_refcounts=on @new",
        "amend -o compat=0.10 @wide",
        "amend -o compat=0.10 @parts",
        "amend -o size=x @new",
        "amend -o size=1000 @new",
        "amend -o size=1M @nofile",
        "amend -t foo -o size=1M @new",
        "amend -f raw -o size=1M @raw",
        "amend -o backing_file=@raw,backing_fmt=raw @new",
        "amend -o backing_file= @new",
        "amend -o backing_fmt=raw @over",
        "amend -o backing_file=@new,backing_fmt=qcow2 @over",
        "info @new",
        "info @old",
        "info @wide");
  }

  @Test
  void amends() throws Exception {
    tools.io("@new", "write -P 1 0 1M", "write -z 512k 128k", "write -z 2M 64k");
    tools.io("@over", "write -P 2 64k 64k", "write -z 256k 128k", "write -z 3M 512k");
    run(
        "amend -o compat=0.10 @new",
        "info @new",
        "amend -p -o compat=0.10 @new",
        "amend -o compat=v2 @over",
        "info @over",
        "amend -o compat=1.1 @old",
        "info @old",
        "amend -o lazy_refcounts=on @old",
        "info @old",
        "amend -o size=8M @old",
        "amend -q -p -o size=2M,lazy_refcounts=off @old",
        "info @old",
        "amend -o compat=1.1,lazy_refcounts=on,refcount_bits=16 @new",
        "amend -o size=0 @new",
        "info --output=json @new");
    tools.compareImages("new", "old", "over");
    tools.io("@new", "read -P 1 0 512k", "read -P 0 512k 128k", "read -P 0 2M 1M");
    tools.io("@over", "read -P 1 0 64k", "read -P 2 64k 64k", "read -P 0 256k 128k");
  }

  @Test
  void benches() throws Exception {
    run(
        "bench",
        "bench -c x @raw",
        "bench -c -1 @raw",
        "bench -c 5 -d x @raw",
        "bench -c 5 -s x @raw",
        "bench -c 5 -S x @raw",
        "bench -c 5 -o x @raw",
        "bench -c 5 -w --pattern=256 @raw",
        "bench -c 5 -w --pattern=x @raw",
        "bench -c 5 -w --flush-interval=x @raw",
        "bench -c 5 -i foo @raw",
        "bench -c 5 -t foo @raw",
        "bench -c 5 @nofile",
        "bench -c 5 @raw @raw",
        "bench -c 5 --flush-interval=100 -f raw @raw",
        "bench -c 100 -w -f raw --flush-interval=10 @raw",
        "bench -c 0 -f raw @raw",
        "bench -c 1000 -f raw @raw",
        "bench -c 1000 -q -U -f raw @raw",
        "bench -c 10 -s 2M -f raw @raw",
        "bench -c 10 -o 1M -f raw @raw",
        "bench -c 100 -d 4 -o 64k -s 16k -S 32k -f raw @raw",
        "bench -c 37 -w --pattern 7 -s 1k -f raw @raw",
        "bench -c 100 -w --pattern 9 -o 512k -d 8 --flush-interval 10 -f raw @raw",
        "bench -c 100 -w --pattern 0x21 -d 8 -S 64k --flush-interval 8 --no-drain @new",
        "bench -c 1000 -d 1 @new");
    tools.compareFile("raw");
    tools.compareImages("new");
  }
}
