// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.OpenFiles;
import dev.spindle.block.driver.file.FileDriver;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockDrivers;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskDriver;
import dev.spindle.block.plugin.DiskPlugin;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** How {@code driver=java} finds its plugins, and what it says of those that it cannot use. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JavaDriverTest {
  private static final String SERVICES = "META-INF/services/" + DiskPlugin.class.getName();

  private static final String RAM = "driver=java,node-name=ram,source=../docs/examples/Ram.java";

  @TempDir Path folder;
  private PluginWorld world;

  @BeforeEach
  void start() throws Exception {
    world = new PluginWorld();
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  /** A read-only disk whose bytes are all alike. */
  private static String source(String name, String more) {
    return
"""
import dev.spindle.block.options.*;
import dev.spindle.block.plugin.*;
import java.lang.foreign.MemorySegment;

class %s implements DiskDriver {
  private int value;

  @Override
  public void configure(Options options) throws OptionException {
    value = (int) options.number("value", 5, 0, 127);
  }

  @Override
  public long size() {
    return 1 << 20;
  }

  @Override
  public void read(MemorySegment data, long offset) {
    data.fill((byte) value);
  }
%s
}
"""
        .formatted(name, more);
  }

  private Path write(String file, String text) throws Exception {
    return Files.writeString(folder.resolve(file), text);
  }

  private String refusal(String description) {
    List<BlockNode> before = world.test.graph.nodes();
    Exception refusal = assertThrows(Exception.class, () -> world.open(description));
    assertEquals(before, world.test.graph.nodes());
    return refusal.getMessage().replace(folder + "/", "");
  }

  private String refusalOf(String file, String text) throws Exception {
    return refusal("driver=java,node-name=n,source=" + write(file, text));
  }

  /**
   * Opens a disk of a source file.
   *
   * @param name of the node, and other options
   */
  private BlockNode openSource(String name, String file, String text) throws Exception {
    return world.open("driver=java,node-name=%s,source=%s".formatted(name, write(file, text)));
  }

  private String refusalOfJar(Path jar) {
    return refusal("driver=java,node-name=n,jar=" + jar);
  }

  /** Makes a jar of a class, and of a list of services if there is one. */
  private Path jar(String name, String services, String... classes) throws Exception {
    Path jar = folder.resolve(name);
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file)) {
      for (String type : classes) {
        Map<String, byte[]> compiled =
            new SourceCompiler(ToolProvider.getSystemJavaCompiler())
                .compile(
                    write(type + ".java", source(type, "").replace("class ", "public class ")),
                    List.of());
        out.putNextEntry(new JarEntry(type + ".class"));
        out.write(compiled.get(type));
      }
      if (!services.isEmpty()) {
        out.putNextEntry(new JarEntry(SERVICES));
        out.write(services.getBytes(StandardCharsets.UTF_8));
      }
    }
    return jar;
  }

  private void assertReads(BlockNode node, int value) throws Exception {
    BackendLane lane = world.use(node, world.test.io0);
    assertArrayEquals(new byte[] {(byte) value, (byte) value}, PluginWorld.read(lane, 77, 2));
  }

  @Test
  void aSourceFileIsCompiledAndTakesItsOptions() throws Exception {
    assertReads(openSource("a", "Same.java", source("Same", "")), 5);
    assertReads(openSource("b,value=7", "Same.java", source("Same", "")), 7);
  }

  @Test
  void everyErrorOfTheCompilerHasItsLine() throws Exception {
    assertEquals(
        """
        'Wrong.java' cannot be compiled:
        Wrong.java:3: ';' expected
        Wrong.java:5: ';' expected\
        """,
        refusalOf(
            "Wrong.java",
            """
            class Wrong {
              void a() {
                int x = 1
                int y;
                int z = 2
              }
            }
            """));
    assertEquals(
        """
        'Less.java' cannot be compiled:
        Less.java:1: Less is not abstract and does not override abstract method\
         read(java.lang.foreign.MemorySegment,long) in dev.spindle.block.plugin.DiskDriver\
        """,
        refusalOf(
            "Less.java",
            "class Less implements dev.spindle.block.plugin.DiskDriver { public long size() {"
                + " return 0; } }"));
  }

  @Test
  void ofManyErrorsTheFirstAreTold() throws Exception {
    String refusal = refusalOf("Zeroes.java", "\0".repeat(100));
    assertEquals(7, refusal.lines().count(), refusal);
    assertTrue(refusal.endsWith("\nand 95 more"), refusal);
  }

  @Test
  void anInternalPackageOfTheBlockLayerIsOutOfReach() throws Exception {
    String refusal =
        refusalOf(
            "In.java",
            "class In { Object a = dev.spindle.block.driver.javaplugin.JavaDriver.class; }");
    assertTrue(refusal.contains("is not visible"), refusal);
  }

  @Test
  void aMisspeltOptionIsRefusedWithAHint() throws Exception {
    Path source = write("Same.java", source("Same", ""));
    assertEquals(
        "--blockdev: unknown parameter 'valeu' (did you mean 'value'?)",
        refusal("driver=java,node-name=n,valeu=7,source=" + source));
    assertEquals(
        "--blockdev: parameter 'value' is '300', expected a number from 0 to 127",
        refusal("driver=java,node-name=n,value=300,source=" + source));
    assertEquals(
        "--blockdev: unknown parameter 'sorce' (did you mean 'source'?)",
        refusal("driver=java,node-name=n,sorce=" + source));
    assertEquals("--blockdev: parameter 'source' is missing", refusal("driver=java,node-name=n"));
  }

  @Test
  void filesThatCannotBeReadAreNamed() throws Exception {
    assertEquals(
        "Could not read 'None.java': there is no such file",
        refusal("driver=java,node-name=n,source=" + folder.resolve("None.java")));
    assertEquals(
        "Could not read 'none.jar': there is no such file",
        refusalOfJar(folder.resolve("none.jar")));
    Files.createDirectory(folder.resolve("classes"));
    assertEquals("'classes' is a folder, not a jar", refusalOfJar(folder.resolve("classes")));
    Path noJar = write("no.jar", "text");
    assertTrue(refusalOfJar(noJar).startsWith("Could not read 'no.jar': "));
    Path noText = Files.write(folder.resolve("Bytes.java"), new byte[] {(byte) 0xff, 0});
    assertEquals(
        "Could not read 'Bytes.java': it is not text in UTF-8",
        refusal("driver=java,node-name=n,source=" + noText));
  }

  @Test
  void whatIsNoDriverIsNamed() throws Exception {
    assertEquals(
        "'Plain.java' has no class that is a DiskDriver or a DiskFilter",
        refusalOf("Plain.java", "class Plain {}"));
    Path plain = write("Plain.java", "class Plain {}");
    assertEquals(
        "Class 'Plain' of Plain.java is neither a DiskDriver nor a DiskFilter",
        refusal("driver=java,node-name=n,class=Plain,source=" + plain));
    assertEquals(
        "There is no class 'Plane' in 'Plain.java'",
        refusal("driver=java,node-name=n,class=Plane,source=" + plain));
    assertEquals(
        "There is no class 'no.Such' on the class path",
        refusal("driver=java,node-name=n,class=no.Such"));
    assertEquals(
        "Class 'Asks' of Asks.java must be one that can be made without parameters",
        refusalOf("Asks.java", source("Asks", "Asks(int x) {}")));
  }

  @Test
  void oneOfSeveralClassesIsChosen() throws Exception {
    Path source = write("Two.java", source("One", "}\nclass Two extends One {"));
    assertEquals(
        "'Two.java' has several drivers; choose one with 'class': One, Two",
        refusal("driver=java,node-name=n,source=" + source));
    assertReads(world.open("driver=java,node-name=n,class=Two,source=" + source), 5);
  }

  @Test
  void aJarsServiceIsFoundOrItsClassIsNamed() throws Exception {
    Path jar = jar("one.jar", "Same\n", "Same");
    assertReads(world.open("driver=java,node-name=a,value=3,jar=" + jar), 3);
    world.closeNodes();
    assertEquals(0, OpenFiles.of(jar));
    Path silent = jar("silent.jar", "", "Same");
    assertEquals(
        "'silent.jar' names no driver in META-INF/services/dev.spindle.block.plugin.DiskPlugin;"
            + " name the class with 'class'",
        refusalOfJar(silent));
    assertReads(world.open("driver=java,node-name=b,value=4,class=Same,jar=" + silent), 4);
    Path several = jar("several.jar", "Same\nOther\n", "Same", "Other");
    assertEquals(
        "'several.jar' has several drivers; choose one with 'class': Other, Same",
        refusalOfJar(several));
    Path wrong = jar("wrong.jar", "Missing\n", "Same");
    assertEquals(
        "'wrong.jar': dev.spindle.block.plugin.DiskPlugin: Provider Missing not found",
        refusalOfJar(wrong));
    assertEquals(0, OpenFiles.of(wrong));
    assertEquals(0, OpenFiles.of(several));
  }

  /** One that cannot be made does not keep the others away, and no name is taken twice. */
  @Test
  void aServiceOnTheClassPathIsADriverByItsName() throws Exception {
    Path jar = jar("one.jar", "Missing\nSame\nFile\n", "Same", "File");
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    Map<String, BlockDriver> drivers;
    try (URLClassLoader loader =
        new URLClassLoader(new URL[] {jar.toUri().toURL()}, JavaDriver.class.getClassLoader())) {
      thread.setContextClassLoader(loader);
      drivers = BlockDrivers.load();
      BlockDriver same = drivers.get("same");
      assertEquals(
          List.of("read-only", "value"),
          OptionList.of(same::read).stream().map(OptionList.Entry::key).toList());
      BlockNode node =
          world.test.get(
              () -> {
                Options options = Disk.options("value=6");
                return world.test.graph.add(same.read(options).open(world.test.graph, "n"));
              });
      assertReads(node, 6);
      assertEquals("same", node.driver());
      world.closeNodes();
    } finally {
      thread.setContextClassLoader(before);
    }
    assertEquals(FileDriver.class, drivers.get("file").getClass());
  }

  @Test
  void aSourceMayUseAJar() throws Exception {
    Path jar = jar("one.jar", "", "Same");
    Path source = write("More.java", "class More extends Same {}");
    assertReads(
        world.open("driver=java,node-name=a,value=9,source=%s,jar=%s".formatted(source, jar)), 9);
  }

  @Test
  void aClassOfTheClassPathIsFound() throws Exception {
    assertReads(world.open("driver=java,node-name=a,class=" + OnClassPath.class.getName()), 1);
  }

  /** For the test above. */
  static final class OnClassPath implements DiskDriver {
    @Override
    public long size() {
      return 512;
    }

    @Override
    public void read(MemorySegment data, long offset) {
      data.fill((byte) 1);
    }
  }

  /** What is static to one node is not to another. */
  @Test
  void classesBelongToOneNode() throws Exception {
    String text = source("Same", "static int opened; public void open() { value = ++opened; }");
    assertReads(openSource("a", "Same.java", text), 1);
    assertReads(openSource("b", "Same.java", text), 1);
  }

  @Test
  void failuresOnTheWayAreSentences() throws Exception {
    assertEquals(
        "Driver 'Same' of Same.java could not be opened: no tape in the drive",
        refusalOf(
            "Same.java",
            source(
                "Same",
                "public void open() throws Exception { throw new java.io.IOException(\"no tape in"
                    + " the drive\"); }")));
    assertEquals(
        "Driver 'Same' of Same.java could not be opened: IllegalStateException: odd (Same.java:22)",
        refusalOf(
            "Same.java",
            source("Same", "public void open() { throw new IllegalStateException(\"odd\"); }")));
    assertEquals(
        "Driver 'Same' of Same.java could not be made: IllegalStateException: odd (Same.java:22)",
        refusalOf(
            "Same.java",
            source("Same", "{ if (true) throw new IllegalStateException(\"odd\"); }")));
    assertEquals(
        "Driver 'Same' of Same.java could not be made: NumberFormatException: For input string:"
            + " \"x\" (Same.java:22)",
        refusalOf("Same.java", source("Same", "static final int X = Integer.parseInt(\"x\");")));
    assertEquals(
        "Driver 'Same' of Same.java could not be opened: a block size of 1000 bytes is not a power"
            + " of two from 1 to 65536",
        refusalOf("Same.java", source("Same", "public int blockSize() { return 1000; }")));
    assertEquals(
        "Driver 'Same' of Same.java could not be opened: 'gone/key': there is no such file"
            + " (Same.java:22)",
        refusalOf(
            "Same.java",
            source(
                "Same",
                "public void open() throws Exception {"
                    + " java.nio.file.Files.readAllBytes(java.nio.file.Path.of(\"gone/key\"));"
                    + " }")));
    assertEquals(
        "Driver 'Same' of Same.java could not take its options: NumberFormatException: For input"
            + " string: \"five\" (Same.java:10)",
        refusalOf(
            "Same.java",
            source("Same", "")
                .replace(
                    "(int) options.number(\"value\", 5, 0, 127)", "Integer.parseInt(\"five\")")));
    assertEquals(
        "Driver 'Odd' of Odd.java could not be opened: its size of 1048577 bytes is not a multiple"
            + " of 512",
        refusalOf("Odd.java", source("Odd", "").replace("1 << 20", "(1 << 20) + 1")));
    assertEquals(
        "Driver 'Odd' of Odd.java could not be opened: its size of -4096 bytes is negative",
        refusalOf("Odd.java", source("Odd", "").replace("1 << 20", "-4096")));
    assertEquals(
        "Driver 'Odd' of Odd.java could not be opened: ArithmeticException: / by zero"
            + " (Odd.java:15)",
        refusalOf("Odd.java", source("Odd", "").replace("1 << 20", "1 / (value - 5)")));
  }

  /** The disk that was opened is closed when its size is refused, and not when opening failed. */
  @Test
  void whatWasOpenedIsClosedWhenItIsRefused() {
    MemoryDisk odd =
        new MemoryDisk() {
          @Override
          public long size() {
            return 7;
          }
        };
    assertThrows(BlockException.class, () -> world.open("odd", odd, ""));
    assertEquals(List.of("close"), odd.calls);
    MemoryDisk broken =
        new MemoryDisk() {
          @Override
          public void open() {
            throw new IllegalStateException("broken");
          }
        };
    assertThrows(BlockException.class, () -> world.open("broken", broken, ""));
    assertEquals(List.of(), broken.calls);
  }

  @Test
  void withoutACompilerASourceIsRefusedInASentence() {
    BlockException refusal = assertThrows(BlockException.class, () -> new SourceCompiler(null));
    assertEquals(
        "This Java has no compiler (module jdk.compiler), so 'source' cannot be used; compile the"
            + " driver elsewhere and give it as 'jar'",
        refusal.getMessage());
  }

  @Test
  void reopeningChangesReadOnlyAndNothingElse() throws Exception {
    BlockNode node = world.open(RAM + ",size=1M");
    BackendLane lane = world.use(node, world.test.io0);
    assertEquals(0, PluginWorld.write(lane, 0, new byte[] {1, 2, 3}));
    assertEquals("Cannot change the option 'size'", world.test.reopenRefusal(RAM + ",size=2M"));
    assertEquals(
        "The option 'size' cannot be reset to its default value", world.test.reopenRefusal(RAM));
    world.test.reopen(RAM + ",size=1M");
    assertFalse(node.readOnly());
    assertArrayEquals(new byte[] {1, 2, 3, 0}, PluginWorld.read(lane, 0, 4));
  }

  @Test
  void readOnlyCanBeTurnedOn() throws Exception {
    BlockNode node = world.open(RAM + ",size=1M");
    world.test.reopen(RAM + ",size=1M,read-only=on");
    assertTrue(node.readOnly());
  }

  @Test
  void helpListsWhatItTakes() {
    BlockDriver driver = new JavaDriver();
    List<String> keys = OptionList.of(driver::read).stream().map(OptionList.Entry::key).toList();
    assertEquals(List.of("read-only", "source", "class", "jar", "file"), keys);
    assertSame("java", driver.name());
  }
}
