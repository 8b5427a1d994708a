// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.plugin.DiskPlugin;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.lang.module.ModuleReference;
import java.lang.module.ResolvedModule;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;

/** Compiles one source file in memory. */
final class SourceCompiler {
  /** More are of no use to anybody: they come of the first ones. */
  private static final int MOST_ERRORS = 5;

  private final JavaCompiler compiler;

  /**
   * Uses a compiler.
   *
   * @param compiler null if this Java has none
   * @throws BlockException if there is none
   */
  SourceCompiler(JavaCompiler compiler) throws BlockException {
    if (compiler == null) {
      throw new BlockException(
          "This Java has no compiler (module jdk.compiler), so 'source' cannot be used; compile the"
              + " driver elsewhere and give it as 'jar'");
    }
    this.compiler = compiler;
  }

  /**
   * Compiles.
   *
   * @param source the file
   * @param jars what it may use besides Java and Spindle
   * @return the bytes of each class, by its name, in the order in which the compiler made them
   * @throws BlockException if the file cannot be read or is wrong: each error with its line
   */
  Map<String, byte[]> compile(Path source, List<Path> jars) throws BlockException {
    DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
    try (StandardJavaFileManager files =
        compiler.getStandardFileManager(found, Locale.ROOT, StandardCharsets.UTF_8)) {
      // Else it would look for classes in the current folder.
      files.setLocationFromPaths(StandardLocation.CLASS_PATH, jars);
      files.setLocationFromPaths(StandardLocation.MODULE_PATH, modulePath());
      Kept kept = new Kept(files);
      boolean compiled =
          compiler
              .getTask(
                  Writer.nullWriter(),
                  kept,
                  found,
                  List.of("-proc:none", "-g", "--add-modules", "dev.spindle.block"),
                  null,
                  List.of(new Source(source, read(source))))
              .call();
      if (!compiled) {
        throw new BlockException(
            "'%s' cannot be compiled:%n%s".formatted(source, errors(source, found)));
      }
      return kept.classes();
    } catch (BlockException e) {
      throw e;
    } catch (IOException e) {
      throw new BlockException("'%s' cannot be compiled: %s".formatted(source, e.getMessage()), e);
    }
  }

  private static String read(Path source) throws BlockException {
    try {
      return Files.readString(source);
    } catch (IOException e) {
      throw UnreadableFile.of(source, e);
    }
  }

  /** Where Spindle's modules are, if not in the image of this runtime, where javac looks anyway. */
  private static List<Path> modulePath() {
    ModuleLayer layer = DiskPlugin.class.getModule().getLayer();
    return layer == null
        ? List.of()
        : layer.configuration().modules().stream()
            .map(ResolvedModule::reference)
            .map(ModuleReference::location)
            .flatMap(Optional::stream)
            .filter(location -> location.getScheme().equals("file"))
            .map(Path::of)
            .toList();
  }

  private static String errors(Path source, DiagnosticCollector<JavaFileObject> found) {
    List<String> errors =
        found.getDiagnostics().stream()
            .filter(diagnostic -> diagnostic.getKind() == Diagnostic.Kind.ERROR)
            .map(diagnostic -> error(source, diagnostic))
            .toList();
    String first = errors.stream().limit(MOST_ERRORS).collect(Collectors.joining("\n"));
    return errors.size() <= MOST_ERRORS
        ? first
        : first + "\nand %d more".formatted(errors.size() - MOST_ERRORS);
  }

  private static String error(Path source, Diagnostic<? extends JavaFileObject> error) {
    String message = error.getMessage(Locale.ROOT);
    return error.getLineNumber() == Diagnostic.NOPOS
        ? source + ": " + message
        : source + ":" + error.getLineNumber() + ": " + message;
  }

  /** The file as the compiler sees it. */
  private static final class Source extends SimpleJavaFileObject {
    private final Path file;
    private final String text;

    Source(Path file, String text) {
      super(file.toAbsolutePath().toUri(), Kind.SOURCE);
      this.file = file;
      this.text = text;
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
      return text;
    }

    /** A public class must have its file's name, however the file was named on the way here. */
    @Override
    public boolean isNameCompatible(String simpleName, Kind kind) {
      return kind == Kind.SOURCE && file.getFileName().toString().equals(simpleName + ".java");
    }
  }

  /** Keeps the classes in memory. */
  private static final class Kept extends ForwardingJavaFileManager<JavaFileManager> {
    private final Map<String, ByteArrayOutputStream> outputs = new LinkedHashMap<>();

    Kept(JavaFileManager files) {
      super(files);
    }

    @Override
    public JavaFileObject getJavaFileForOutput(
        Location location, String className, JavaFileObject.Kind kind, FileObject sibling) {
      URI uri = URI.create("memory:///" + className.replace('.', '/') + kind.extension);
      return new SimpleJavaFileObject(uri, kind) {
        @Override
        public OutputStream openOutputStream() {
          ByteArrayOutputStream bytes = new ByteArrayOutputStream();
          outputs.put(className, bytes);
          return bytes;
        }
      };
    }

    Map<String, byte[]> classes() {
      Map<String, byte[]> classes = new LinkedHashMap<>();
      outputs.forEach((name, bytes) -> classes.put(name, bytes.toByteArray()));
      return classes;
    }
  }
}
