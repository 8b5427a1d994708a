// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.throttle.BucketLimit;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.vmm.chardev.ChardevOption;
import dev.spindle.vmm.machine.DeviceOption;
import dev.spindle.vmm.machine.MachineConfig;
import dev.spindle.vmm.machine.QueueMapping;
import dev.spindle.vmm.machine.VirtualMachineConfig;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

class RunOptionsTest {
  private static final String[] TWO_THREADS_ONE_NODE = {
    "--object",
    "iothread,id=io0",
    "--object",
    "iothread,id=io1",
    "--blockdev",
    "driver=null-co,node-name=d0"
  };

  private static VirtualMachineConfig config(String... arguments) throws OptionException {
    List<String> all = new ArrayList<>(List.of("--kernel", "vmlinuz"));
    all.addAll(Arrays.asList(arguments));
    CommandLine commandLine = new CommandLine(RunCommand.spec());
    return RunOptions.from(commandLine.parseArgs(all.toArray(String[]::new))).config();
  }

  private static VirtualMachineConfig withDisk(String device) throws OptionException {
    List<String> all = new ArrayList<>(Arrays.asList(TWO_THREADS_ONE_NODE));
    all.addAll(List.of("--device", device));
    return config(all.toArray(String[]::new));
  }

  @Test
  void defaultsAreASmallMachineOnTheTerminal() throws OptionException {
    VirtualMachineConfig config = config();
    assertEquals(
        new MachineConfig(
            "guest",
            128 << 20,
            GuestMemory.Pages.NORMAL,
            false,
            1,
            Path.of("vmlinuz"),
            Optional.empty(),
            "",
            true),
        config.machine());
    assertEquals(List.of(new ChardevOption.Stdio()), config.serialPorts());
    assertEquals(List.of(), config.devices());
  }

  @Test
  void memoryCountsInMebibytesUnlessItSaysOtherwise() throws OptionException {
    assertEquals(256L << 20, config("-m", "256").machine().memoryBytes());
    assertEquals(1L << 30, config("--memory", "1G").machine().memoryBytes());
    assertEquals(1536L << 20, config("--memory", "1.5G").machine().memoryBytes());
    MachineConfig huge = config("--memory", "size=64M,hugepages=on").machine();
    assertEquals(64L << 20, huge.memoryBytes());
    assertEquals(GuestMemory.Pages.HUGE_2M, huge.pages());
  }

  @Test
  void memoryIsLockedOnRequest() throws OptionException {
    assertTrue(config("--overcommit", "mem-lock=on").machine().memoryLocked());
    assertFalse(config("--overcommit", "mem-lock=off").machine().memoryLocked());
  }

  @Test
  void queuesGoWhereTheirMappingSays() throws OptionException {
    assertEquals(QueueMapping.all(1, QueueMapping.MAIN_LOOP), queues("virtio-blk-pci,drive=d0"));
    assertEquals(
        new QueueMapping(List.of("io1", "io1", "io1")),
        queues("virtio-blk-pci,drive=d0,iothread=io1,num-queues=3"));
    assertEquals(
        new QueueMapping(List.of("io0", "io1", "io0")),
        queues(
            "virtio-blk-pci,drive=d0,num-queues=3,iothread-vq-mapping.0.iothread=io0,"
                + "iothread-vq-mapping.1.iothread=io1"));
    assertEquals(
        new QueueMapping(List.of("io1", "io0", "io1")),
        queues(
            "{\"driver\": \"virtio-blk-pci\", \"drive\": \"d0\", \"num-queues\": 3,"
                + " \"iothread-vq-mapping\": [{\"iothread\": \"io0\", \"vqs\": [1]},"
                + " {\"iothread\": \"io1\", \"vqs\": [0, 2]}]}"));
  }

  @Test
  void throttleGroupsTakeTheirLimitsInBothOfQemusForms() throws OptionException {
    VirtualMachineConfig config =
        config(
            "--object",
            "throttle-group,id=g0,x-iops-total=100,x-iops-total-max=200,x-iops-size=4096",
            "--object",
            "iothread,id=io0",
            "--object",
            "throttle-group,id=g1,limits.bps-read=1000,limits.bps-write=2000",
            "--object",
            "{\"qom-type\": \"throttle-group\", \"id\": \"g2\", \"limits\": {\"bps-total\": 10,"
                + " \"bps-total-max\": 20, \"bps-total-max-length\": 3}}",
            "--object",
            "throttle-group,id=g3");
    BucketLimit none = BucketLimit.NONE;
    assertEquals(
        List.of(
            new ThrottleGroupOption(
                "g0",
                new ThrottleLimits(
                    new BucketLimit(100, 200, 1), none, none, none, none, none, 4096)),
            new ThrottleGroupOption(
                "g1",
                new ThrottleLimits(
                    none,
                    none,
                    none,
                    none,
                    new BucketLimit(1000, 0, 1),
                    new BucketLimit(2000, 0, 1),
                    0)),
            new ThrottleGroupOption(
                "g2",
                new ThrottleLimits(none, none, none, new BucketLimit(10, 20, 3), none, none, 0)),
            new ThrottleGroupOption("g3", ThrottleLimits.NONE)),
        config.throttleGroups());
    assertEquals(1, config.ioThreads().size());
  }

  private static QueueMapping queues(String device) throws OptionException {
    return ((DeviceOption.Disk) withDisk(device).devices().getFirst()).queues();
  }

  @Test
  void serialPortsKeepTheirOrder() throws OptionException {
    assertEquals(
        List.of(
            new ChardevOption.UnixSocket(Path.of("/s"), true, false),
            new ChardevOption.ToFile(Path.of("a:b,c"))),
        config("--serial", "unix:/s,server=on,wait=off", "--serial", "file:a:b,c").serialPorts());
    assertEquals(
        List.of(new ChardevOption.None(), new ChardevOption.Null()),
        config("--serial", "none", "--serial", "null").serialPorts());
  }

  static Stream<Arguments> refusals() {
    return Stream.of(
        refusal("--memory: 'lots' is no size such as 512M or 1G", "--memory", "lots"),
        refusal("--memory: '8M' is not between 16M and 1T", "--memory", "8M"),
        refusal("--memory: '0' is not between 16M and 1T", "--memory", "0"),
        refusal("--memory: '-1' is no size such as 512M or 1G", "--memory", "-1"),
        refusal("--memory: '2T' is not between 16M and 1T", "--memory", "2T"),
        refusal("--memory: '33M' is no multiple of 2M", "--memory", "33M"),
        refusal("--memory: unknown parameter 'sise' (did you mean 'size'?)", "--memory", "sise=1G"),
        refusal(
            "--overcommit: unknown parameter 'memlock' (did you mean 'mem-lock'?)",
            "--overcommit",
            "memlock=on"),
        refusal(
            "--overcommit: parameter 'mem-lock' is 'on-fault', expected 'on' or 'off'",
            "--overcommit",
            "mem-lock=on-fault"),
        refusal("--overcommit: expected key=value, not 'mem-lock'", "--overcommit", "mem-lock"),
        refusal("--cpus: '0' is no number from 1 to 16", "--cpus", "0"),
        refusal("--cpus: '17' is no number from 1 to 16", "--cpus", "17"),
        refusal("--cpus: 'two' is no number from 1 to 16", "--cpus", "two"),
        refusal(
            "--object: unknown type 'iothraed' (did you mean 'iothread'?)",
            "--object",
            "iothraed,id=io0"),
        refusal("--object iothread: parameter 'id' is missing", "--object", "iothread"),
        refusal(
            "--object: '0io' is no id: a letter, then letters, digits, '-', '.' or '_'",
            "--object",
            "iothread,id=0io"),
        refusal(
            "--object: duplicate id 'io0'",
            "--object",
            "iothread,id=io0",
            "--object",
            "iothread,id=io0"),
        refusal(
            "--object io0: unknown parameter 'poll-max' (did you mean 'poll-max-ns'?)",
            "--object",
            "iothread,id=io0,poll-max=3"),
        refusal(
            "--object: duplicate id 'g'",
            "--object",
            "iothread,id=g",
            "--object",
            "throttle-group,id=g"),
        refusal("--object throttle-group: parameter 'id' is missing", "--object", "throttle-group"),
        refusal(
            "--object: unknown type 'throttle-grup' (did you mean 'throttle-group'?)",
            "--object",
            "throttle-grup,id=g"),
        refusal(
            "--object g: unknown parameter 'x-iops-totl' (did you mean 'x-iops-total'?)",
            "--object",
            "throttle-group,id=g,x-iops-totl=5"),
        refusal(
            "--object g: unknown parameter 'iops-total' (did you mean 'x-iops-total'?)",
            "--object",
            "throttle-group,id=g,iops-total=5"),
        refusal(
            "--object g: unknown parameter 'limits.iops-totl' (did you mean 'limits.iops-total'?)",
            "--object",
            "throttle-group,id=g,limits.iops-totl=5"),
        refusal(
            "--object g: bps/iops/max total values and read/write values cannot be used at the same"
                + " time",
            "--object",
            "throttle-group,id=g,x-iops-total=5,x-iops-read=5"),
        refusal(
            "--object g: bps-read-max needs bps-read",
            "--object",
            "throttle-group,id=g,limits.bps-read-max=5"),
        refusal(
            "--object g: iops size requires an iops value to be set",
            "--object",
            "throttle-group,id=g,x-iops-size=512"),
        refusal(
            "--object g: parameters 'x-iops-total' and 'limits.iops-total' are the same",
            "--object",
            "throttle-group,id=g,x-iops-total=5,limits.iops-total=5"),
        refusal(
            "--device: unknown driver 'virtio-blk' (did you mean 'virtio-blk-pci'?)",
            "--device",
            "virtio-blk"),
        refusal(
            "--device: unknown driver 'virtio-net-pci'; --device help lists those that exist",
            "--device",
            "virtio-net-pci"),
        refusal("--device: nothing is given, expected driver=…", "--device", ""),
        refusal("--memory: '' is no size such as 512M or 1G", "--memory", ""),
        refusal(
            "--object g: parameter 'limits.bps-total' is '1M', expected a number from 0 to"
                + " 1000000000000000",
            "--object",
            "throttle-group,id=g,limits.bps-total=1M"),
        refusal("--serial: unknown kind 'stdoo' (did you mean 'stdio'?)", "--serial", "stdoo"),
        refusal("--serial: 'file' needs a path, as in file:PATH", "--serial", "file:"),
        refusal("--serial: 'null' takes nothing after it", "--serial", "null:x"),
        refusal("--serial unix: only a server can wait", "--serial", "unix:/s,wait=on"),
        refusal(
            "--serial: stdio is connected to one port already",
            "--serial",
            "stdio",
            "--serial",
            "stdio"),
        refusal(
            "--serial: a machine has at most 2 serial ports",
            "--serial",
            "null",
            "--serial",
            "null",
            "--serial",
            "null"));
  }

  private static Arguments refusal(String sentence, String... arguments) {
    return Arguments.of(sentence, arguments);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refusals")
  void badOptionsAreRefusedInASentence(String sentence, String[] arguments) {
    OptionException refusal = assertThrows(OptionException.class, () -> config(arguments));
    assertEquals(sentence, refusal.getMessage());
  }

  static Stream<Arguments> deviceRefusals() {
    return Stream.of(
        Arguments.of("drive=nope", "--device vd: there is no node 'nope' for 'drive'"),
        Arguments.of(
            "drive=d1", "--device vd: there is no node 'd1' for 'drive' (did you mean 'd0'?)"),
        Arguments.of("num-queues=1", "--device vd: parameter 'drive' is missing"),
        Arguments.of(
            "drive=d0,iothread=io2",
            "--device vd: cannot find iothread 'io2' (did you mean 'io0'?)"),
        Arguments.of(
            "drive=d0,num-queues=0",
            "--device vd: parameter 'num-queues' is '0', expected a number from 1 to 1023"),
        Arguments.of(
            "drive=d0,num-queue=2",
            "--device vd: unknown parameter 'num-queue' (did you mean 'num-queues'?)"),
        Arguments.of(
            "drive=d0,logical_block_size=513",
            "--device vd: parameter 'logical_block_size' must be a power of 2 between 512 and"
                + " 2097152"),
        mapping(
            "iothread=io0,iothread-vq-mapping.0.iothread=io1",
            "iothread and iothread-vq-mapping properties cannot be set at the same time"),
        mapping("iothread-vq-mapping.0.iothread=nope", "cannot find iothread 'nope'"),
        mapping(
            "iothread-vq-mapping.0.iothread=io0,iothread-vq-mapping.1.iothread=io0",
            "duplicate IOThread name 'io0' in iothread-vq-mapping"),
        mapping(
            "iothread-vq-mapping.0.iothread=io0,iothread-vq-mapping.0.vqs.0=0,"
                + "iothread-vq-mapping.1.iothread=io1",
            "either all items in iothread-vq-mapping must have vqs or none of them must have it"),
        mapping(
            "iothread-vq-mapping.0.iothread=io0,iothread-vq-mapping.0.vqs.0=2",
            "vq index 2 for IOThread 'io0' must be less than num-queues 2 in iothread-vq-mapping"),
        mapping(
            "iothread-vq-mapping.0.iothread=io0,iothread-vq-mapping.0.vqs.0=0,"
                + "iothread-vq-mapping.1.iothread=io1,iothread-vq-mapping.1.vqs.0=0",
            "cannot assign vq 0 to IOThread 'io1' because it is already assigned to 'io0'"),
        mapping(
            "iothread-vq-mapping.0.iothread=io0,iothread-vq-mapping.0.vqs.0=1",
            "missing vq 0 IOThread assignment in iothread-vq-mapping"));
  }

  private static Arguments mapping(String properties, String sentence) {
    return Arguments.of("drive=d0,num-queues=2," + properties, "--device vd: " + sentence);
  }

  @ParameterizedTest(name = "{1}")
  @MethodSource("deviceRefusals")
  void badDevicesAreRefusedInASentence(String properties, String sentence) {
    OptionException refusal =
        assertThrows(OptionException.class, () -> withDisk("virtio-blk-pci,id=vd," + properties));
    assertEquals(sentence, refusal.getMessage());
  }
}
