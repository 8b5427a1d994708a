// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.spindle.vmm.cli.SpindleProcess.Outcome;
import dev.spindle.vmm.machine.Code32;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What bad input to {@code spindle run} gets, where it matters from the application in a process of
 * its own: one sentence that names the thing, status 1 (2 for usage), and nothing left behind.
 */
@Timeout(120)
class RunRefusalTest {
  private static final boolean ROOT = "root".equals(System.getProperty("user.name"));

  /** Takes from root what lets it open any file. */
  private static final List<String> WITHOUT_OVERRIDE =
      List.of("setpriv", "--bounding-set=-dac_override,-dac_read_search");

  /** Takes from root what lets it lock any amount of memory. */
  private static final List<String> WITHOUT_LOCKING =
      List.of("setpriv", "--bounding-set=-ipc_lock");

  /** Runs a program in a /dev of its own, the folder $1. */
  private static final String OWN_DEV =
      "dev=$1; shift; for file in null zero random urandom; do : >$dev/$file &&"
          + " mount --bind /dev/$file $dev/$file || exit 77; done;"
          + " mount --rbind $dev /dev || exit 77; exec \"$@\"";

  @TempDir private static Path programs;
  private static Path forbidIoUring;

  @TempDir private Path folder;
  private Map<String, String> before;

  @BeforeAll
  static void compile() throws Exception {
    Path source = programs.resolve("forbid-io-uring.c");
    try (InputStream text = RunRefusalTest.class.getResourceAsStream("forbid-io-uring.c")) {
      Files.copy(text, source);
    }
    forbidIoUring = programs.resolve("forbid-io-uring");
    Process gcc =
        new ProcessBuilder("gcc", "-Wall", "-Werror", "-o", forbidIoUring.toString(), "" + source)
            .inheritIO()
            .start();
    assertEquals(0, gcc.waitFor());
  }

  @BeforeEach
  void putThingsThere() throws Exception {
    new Code32().powerOff().write(folder.resolve("kernel"));
    Files.writeString(folder.resolve("text"), "#!/bin/sh\n");
    Files.write(folder.resolve("disk"), new byte[1 << 20]);
    Files.writeString(folder.resolve("log"), "of an earlier run\n");
    before = SpindleProcess.contents(folder);
  }

  @AfterEach
  void nothingHasChanged() throws Exception {
    assertEquals(before, SpindleProcess.contents(folder));
  }

  private Outcome run(String... arguments) throws Exception {
    return runBy(List.of(), arguments);
  }

  /** Runs a machine that would log to a file that is there and to one that is not. */
  private Outcome runBy(List<String> launcher, String... arguments) throws Exception {
    List<String> all = new ArrayList<>(List.of("run", "--serial", "file:log"));
    all.addAll(List.of("--serial", "file:new"));
    all.addAll(Arrays.asList(arguments));
    return SpindleProcess.finish(
        SpindleProcess.prepare(folder, launcher, all.toArray(String[]::new)));
  }

  /** FOLDER stands for the test's folder. */
  static Stream<Arguments> refusals() {
    return Stream.of(
        refusal(2, "option '--kernel' is missing (see spindle run --help)"),
        refusal(2, "option '--kernel' needs a value (see spindle run --help)", "--kernel"),
        refusal(2, "unknown option '--bogus' (see spindle run --help)", "--bogus", "--cpus=1"),
        refusal(
            2,
            "unknown option '--kernle' (did you mean '--kernel'?) (see spindle run --help)",
            "--kernle=FOLDER/kernel"),
        refusal(
            2,
            "unexpected argument 'disk' (see spindle run --help)",
            "--kernel=FOLDER/kernel",
            "disk"),
        refusal(1, "kernel 'FOLDER/none' does not exist", "--kernel=FOLDER/none"),
        refusal(1, "kernel '@FOLDER/text' does not exist", "--kernel", "@FOLDER/text"),
        refusal(1, "kernel 'FOLDER' is a directory", "--kernel=FOLDER"),
        refusal(1, "--kernel: the name of the file is empty", "--kernel="),
        onKernel("--initrd: the name of the file is empty", "--initrd="),
        onKernel(
            "--blockdev: unknown driver 'fiel' (did you mean 'file'?)",
            "--blockdev=driver=fiel,node-name=d0,filename=FOLDER/disk"),
        onKernel(
            "--blockdev: unknown driver 'qed'; --blockdev help lists those that exist",
            "--blockdev=driver=qed,node-name=d0,filename=FOLDER/disk"),
        onKernel("--blockdev d0: parameter 'driver' is missing", "--blockdev=node-name=d0"),
        onKernel(
            "--blockdev d0: unknown parameter 'filenam' (did you mean 'filename'?)",
            "--blockdev=driver=file,node-name=d0,filenam=FOLDER/disk"),
        onKernel(
            "--blockdev r0: unknown parameter 'fiel' (did you mean 'file'?)",
            "--blockdev=driver=raw,node-name=r0,fiel.driver=null-co"),
        onKernel(
            "--device vd0: unknown parameter 'drvie' (did you mean 'drive'?)",
            "--device=virtio-blk-pci,id=vd0,drvie=d0"),
        onKernel(
            "--blockdev r0: node 'd0' for 'file' is described later; a node comes before those"
                + " that use it",
            "--blockdev=driver=raw,node-name=r0,file=d0",
            "--blockdev=driver=file,node-name=d0,filename=FOLDER/disk"),
        onKernel(
            "--blockdev q0: node 'd1' for 'children.1' is described later; a node comes before"
                + " those that use it",
            "--blockdev=driver=null-co,node-name=d0",
            "--blockdev=driver=quorum,node-name=q0,vote-threshold=1,children.0=d0,children.1=d1",
            "--blockdev=driver=null-co,node-name=d1"),
        refusal(
            1,
            "kernel 'FOLDER/text' is neither a bzImage with a 64-bit entry nor an ELF file with a"
                + " PVH entry",
            "--kernel=FOLDER/text"),
        onKernel("initrd 'FOLDER/none' does not exist", "--initrd=FOLDER/none"),
        onKernel("--cpus: '-1' is no number from 1 to 16", "--cpus=-1"),
        onKernel("--overcommit: unknown parameter 'cpu-pm'", "--overcommit=cpu-pm=on"),
        onKernel(
            "--overcommit: parameter 'mem-lock' is 'maybe', expected 'on' or 'off'",
            "--overcommit=mem-lock=maybe"),
        onKernel("--memory: '0' is not between 16M and 1T", "--memory=0"),
        onKernel("--memory: '1B' is not between 16M and 1T", "--memory=1B"),
        onKernel("--memory: '17M' is no multiple of 2M", "--memory=17M"),
        onKernel(
            "--object: duplicate id 'io0'", "--object=iothread,id=io0", "--object=iothread,id=io0"),
        onKernel(
            "--device: duplicate id 'x'", "--object=iothread,id=x", "--device=virtio-rng-pci,id=x"),
        onKernel(
            "--device vd0: cannot find iothread 'io7' (did you mean 'io0'?)",
            "--object=iothread,id=io0",
            "--blockdev=driver=null-co,node-name=d0",
            "--device=virtio-blk-pci,id=vd0,drive=d0,iothread=io7"),
        onKernel(
            "--device vd0: there is no node 'd7' for 'drive' (did you mean 'd0'?)",
            "--blockdev=driver=null-co,node-name=d0",
            "--device=virtio-blk-pci,id=vd0,drive=d7"),
        onKernel(
            "--blockdev: unknown driver 'filee' (did you mean 'file'?)",
            "--object=iothread,id=io0",
            "--blockdev=driver=filee,node-name=d0,filename=FOLDER/disk"),
        onKernel(
            "--blockdev d0: unknown parameter 'filname' (did you mean 'filename'?)",
            "--blockdev=driver=file,node-name=d0,filname=FOLDER/disk,filename=FOLDER/disk"),
        onKernel(
            "--blockdev r0: Failed to find node with node-name='d7' (did you mean 'd0'?)",
            "--blockdev=driver=file,node-name=d0,filename=FOLDER/disk",
            "--blockdev=driver=raw,node-name=r0,file=d7"),
        onKernel(
            "--blockdev 0d: Invalid node-name: '0d' (a letter, then at most 30 letters, digits,"
                + " '-', '.' or '_')",
            "--blockdev=driver=file,node-name=0d,filename=FOLDER/disk"),
        onKernel(
            "--blockdev d0: Could not open 'FOLDER/none': ENOENT (No such file or directory)",
            "--blockdev=driver=file,node-name=d0,filename=FOLDER/none"),
        onKernel(
            "--blockdev d0: parameter 'filename' is '7', expected a string",
            "--blockdev={\"driver\":\"file\",\"node-name\":\"d0\",\"filename\":7}"),
        onKernel(
            "--blockdev file: parameter 'node-name' is missing; without it nothing can use the"
                + " node",
            "--blockdev=driver=file,filename=FOLDER/disk"),
        onKernel(
            "--blockdev d0: 'FOLDER' is neither a regular file nor a block device",
            "--blockdev=driver=file,read-only=on,node-name=d0,filename=FOLDER"));
  }

  private static Arguments onKernel(String sentence, String... arguments) {
    List<String> all = new ArrayList<>(List.of("--kernel=FOLDER/kernel"));
    all.addAll(Arrays.asList(arguments));
    return refusal(1, sentence, all.toArray(String[]::new));
  }

  private static Arguments refusal(int status, String sentence, String... arguments) {
    return Arguments.of(status, sentence, arguments);
  }

  /** In this process, for there are many of them. */
  @ParameterizedTest(name = "{1}")
  @MethodSource("refusals")
  void badInputIsRefusedInASentence(int status, String sentence, String[] arguments) {
    List<String> all = new ArrayList<>(List.of("run", "--serial", "file:" + folder.resolve("log")));
    all.addAll(List.of("--serial", "file:" + folder.resolve("new")));
    for (String argument : arguments) {
      all.add(inFolder(argument));
    }
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    List<Subcommand> run = List.of(new Subcommand("run", "", RunCommand::spec));
    String[] line = all.toArray(String[]::new);
    int actual =
        Main.commandLine(run, line)
            .setOut(new PrintWriter(out, true))
            .setErr(new PrintWriter(err, true))
            .execute(line);
    new Outcome(actual, out.toString(), err.toString()).assertRefusal(status, inFolder(sentence));
    assertEquals(
        List.of(),
        Thread.getAllStackTraces().keySet().stream()
            .map(Thread::getName)
            .filter(name -> name.startsWith("iothread-") || name.endsWith("-output"))
            .toList());
  }

  private String inFolder(String text) {
    return text.replace("FOLDER", folder.toString());
  }

  @Test
  void aMissingKernelIsNamed() throws Exception {
    run("--kernel", "vmlinuz").assertRefusal(1, "kernel 'vmlinuz' does not exist");
  }

  /** The last of two nodes, so that the first and the iothread have to go again. */
  @Test
  void aSecondNodeOfTheSameNameIsRefused() throws Exception {
    run(
            "--kernel",
            "kernel",
            "--object",
            "iothread,id=io0",
            "--blockdev",
            "driver=file,node-name=d0,filename=disk",
            "--blockdev",
            "driver=null-co,node-name=d0")
        .assertRefusal(1, "--blockdev d0: Duplicate nodes with node-name='d0'");
  }

  @Test
  void anImageThatMayNotBeReadIsNamed() throws Exception {
    Files.setPosixFilePermissions(
        folder.resolve("disk"), PosixFilePermissions.fromString("---------"));
    before = SpindleProcess.contents(folder);
    runBy(
            ROOT ? WITHOUT_OVERRIDE : List.of(),
            "--kernel",
            "kernel",
            "--blockdev",
            "driver=file,node-name=d0,filename=disk")
        .assertRefusal(1, "--blockdev d0: Could not open 'disk': EACCES (Permission denied)");
  }

  @Test
  void moreMemoryThanCanBeMappedIsRefused() throws Exception {
    runBy(List.of("prlimit", "--as=" + (64L << 30)), "--kernel", "kernel", "--memory", "512G")
        .assertRefusal(
            1,
            "guest memory of 549755813888 bytes cannot be had from this host"
                + " (mmap memfd guest-memory: ENOMEM (Cannot allocate memory))");
  }

  /** The kernel would promise it. */
  @Test
  void moreMemoryThanTheHostCanEverHoldIsRefused() throws Exception {
    run("--kernel", "kernel", "--memory", "1T")
        .assertRefusal(
            1,
            "guest memory of 1048576 MiB is more than this host can ever hold, which has ",
            " MiB of RAM and swap space");
  }

  /** By what the user wrote, where he gave them no ids. */
  @Test
  void devicesThatDoNotShareADiskAreNamed() throws Exception {
    RunOnAnyKvm.assumeKvm();
    run(
            "--kernel",
            "kernel",
            "--blockdev",
            "driver=file,node-name=d0,filename=disk",
            "--device",
            "virtio-blk-pci,drive=d0",
            "--device",
            "virtio-blk-pci,drive=d0")
        .assertRefusal(
            1,
            "Permission conflict on node 'd0': permissions 'write' are both required by block"
                + " device 'virtio-blk-pci,drive=d0' (uses node 'd0' as 'root' child) and unshared"
                + " by block device 'virtio-blk-pci,drive=d0 2' (uses node 'd0' as 'root' child).");
  }

  @Test
  void memoryThatMayNotBeLockedIsRefused() throws Exception {
    List<String> launcher = new ArrayList<>(ROOT ? WITHOUT_LOCKING : List.of());
    // Enough for a ring, which the kernel counts as well.
    launcher.addAll(List.of("prlimit", "--memlock=1048576:1048576"));
    runBy(launcher, "--kernel", "kernel", "--memory", "64M", "--overcommit", "mem-lock=on")
        .assertRefusal(
            1,
            "guest memory of 67108864 bytes cannot be locked: RLIMIT_MEMLOCK (ulimit -l) must"
                + " allow it and the host have it (mlock memfd guest-memory: ENOMEM (Cannot"
                + " allocate memory))");
  }

  @Test
  void hugePagesThatAreNotThereAreRefused() throws Exception {
    // More than any pool has.
    run("--kernel", "kernel", "--memory", "size=1T,hugepages=on")
        .assertRefusal(
            1,
            "guest memory of 1099511627776 bytes cannot be had from this host in huge pages:"
                + " 524288 pages of 2 MiB must be free in /proc/sys/vm/nr_hugepages",
            "(mmap memfd guest-memory: ENOMEM (Cannot allocate memory))");
  }

  @Test
  void forbiddenIoUringIsNamed() throws Exception {
    assertIoUringRefusal("", "");
  }

  @Test
  void anIothreadWithoutIoUringIsNamed() throws Exception {
    assertIoUringRefusal("iothread-io1", " for iothread 'io1'");
  }

  /** Forbids io_uring to one thread, or to all if {@code thread} is empty. */
  private void assertIoUringRefusal(String thread, String purpose) throws Exception {
    Outcome outcome =
        runBy(
            List.of(forbidIoUring.toString(), thread),
            "--kernel",
            "kernel",
            "--object",
            "iothread,id=io0",
            "--object",
            "iothread,id=io1");
    assumeTrue(outcome.status() != 77, outcome.err());
    outcome.assertRefusal(
        1,
        "this host does not let Spindle use io_uring"
            + purpose
            + ": io_uring_setup: EPERM (Operation not permitted)");
  }

  /** What starts a program in a /dev without KVM, or with one that nobody may open. */
  private List<String> inOwnDev(boolean withKvm, Path dev) throws Exception {
    List<String> launcher = new ArrayList<>(List.of("unshare", "--mount"));
    if (!ROOT) {
      launcher.add("--map-root-user");
    }
    launcher.addAll(List.of("sh", "-c", OWN_DEV, "sh", dev.toString()));
    launcher.addAll(WITHOUT_OVERRIDE);
    if (withKvm) {
      Files.createFile(
          dev.resolve("kvm"),
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("---------")));
    }
    List<String> probe = new ArrayList<>(launcher);
    probe.add("true");
    assumeTrue(new ProcessBuilder(probe).start().waitFor() == 0, "namespaces may be made here");
    return launcher;
  }

  @Test
  void withoutKvmTheKvmHostIsRecommended(@TempDir Path dev) throws Exception {
    List<String> launcher = inOwnDev(false, dev);
    runBy(launcher, "--kernel", "kernel")
        .assertRefusal(
            1,
            "there is no /dev/kvm (open /dev/kvm: ENOENT (No such file or directory));"
                + " README.md shows how to run a guest in the KVM host, guest-images/kvm-host");
  }

  @Test
  void aKvmThatMayNotBeUsedIsNamed(@TempDir Path dev) throws Exception {
    runBy(inOwnDev(true, dev), "--kernel", "kernel")
        .assertRefusal(
            1,
            "no permission to use /dev/kvm (open /dev/kvm: EACCES (Permission denied)): add"
                + " yourself to group kvm and log in again; README.md shows how to run a guest in"
                + " the KVM host, guest-images/kvm-host");
  }

  @Test
  void theKvmHostThatIsAskedForIsNamed() throws Exception {
    ProcessBuilder run =
        SpindleProcess.prepare(folder, List.of(), "run", "--kernel", "kernel", "--serial", "none");
    run.environment().put("SPINDLE_KVM", "nested");
    SpindleProcess.finish(run)
        .assertRefusal(
            1,
            "SPINDLE_KVM=nested asks for the KVM host; README.md shows how to run a guest in the"
                + " KVM host, guest-images/kvm-host");
  }

  @Test
  void anImageThatQemuWritesIsNamed() throws Exception {
    RunOnAnyKvm.assumeKvm();
    Process qemu =
        new ProcessBuilder("qemu-io", "-f", "raw", folder.resolve("disk").toString())
            .redirectErrorStream(true)
            .start();
    try (Writer commands = qemu.outputWriter(UTF_8);
        BufferedReader answers = qemu.inputReader(UTF_8)) {
      // An answer shows that it has opened the image.
      commands.write("length\n");
      commands.flush();
      String line;
      do {
        line = answers.readLine();
      } while (line != null && !line.contains("1 MiB"));
      run(
              "--kernel",
              "kernel",
              "--blockdev",
              "driver=file,node-name=d0,filename=disk",
              "--device",
              "virtio-blk-pci,drive=d0")
          .assertRefusal(
              1, "Failed to get shared \"write\" lock: is another process using the image [disk]?");
    }
    assertEquals(0, qemu.waitFor());
  }

  @Test
  void aSocketsPathThatIsTakenIsNamed() throws Exception {
    RunOnAnyKvm.assumeKvm();
    Path socket = folder.resolve("socket");
    try (ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      other.bind(UnixDomainSocketAddress.of(socket));
      before = SpindleProcess.contents(folder);
      SpindleProcess.finish(
              SpindleProcess.prepare(
                  folder,
                  List.of(),
                  "run",
                  "--kernel",
                  "kernel",
                  "--serial",
                  "file:new",
                  "--serial",
                  "unix:socket,server=on,wait=off"))
          .assertRefusal(1, "--serial unix: cannot listen at 'socket': somebody listens there");
    }
  }

  /** After everything else has been made, so that all of it has to go again. */
  @Test
  void aKvmThatCannotRunGuestsIsNamedLast() throws Exception {
    RunOnAnyKvm.assumeKvm();
    ProcessBuilder run =
        SpindleProcess.prepare(
            folder,
            List.of(),
            "run",
            "--kernel",
            "kernel",
            "--blockdev",
            "driver=file,node-name=d0,filename=disk",
            "--device",
            "virtio-blk-pci,drive=d0",
            "--serial",
            "file:new",
            "--serial",
            "unix:socket,server=on,wait=on");
    run.environment().put("SPINDLE_KVM", "elsewhere");
    Outcome outcome = SpindleProcess.finish(run);
    outcome.assertRefusal(1, "SPINDLE_KVM is host, nested or auto, not 'elsewhere'");
    assertTrue(Files.notExists(folder.resolve("socket")));
  }
}
