// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.plugin.DiskPlugin;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Modifier;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.tools.ToolProvider;

/**
 * Finds the class of {@code driver=java}, and makes one. On a thread that may be held for long.
 *
 * @param source a source file with the class
 * @param className which class, if that is not plain
 * @param jars what holds the class, or what the source uses
 */
record PluginLoader(Optional<Path> source, Optional<String> className, List<Path> jars) {
  /**
   * As a user gives it.
   *
   * @param jars paths, with colons between them
   */
  static PluginLoader of(
      Optional<String> source, Optional<String> className, Optional<String> jars) {
    return new PluginLoader(
        source.map(Path::of),
        className,
        jars.map(list -> Pattern.compile(Pattern.quote(File.pathSeparator)).splitAsStream(list))
            .map(paths -> paths.map(Path::of).toList())
            .orElse(List.of()));
  }

  /**
   * Loads it.
   *
   * @throws BlockException if there is no such class, or it is none of a driver; nothing is left
   *     open then
   */
  LoadedPlugin load() throws BlockException {
    for (Path jar : jars) {
      checkJar(jar);
    }
    Map<String, byte[]> compiled =
        source.isPresent()
            ? new SourceCompiler(ToolProvider.getSystemJavaCompiler()).compile(source.get(), jars)
            : Map.of();
    PluginClassLoader loader = new PluginClassLoader(urls(), compiled);
    try {
      return LoadedPlugin.of(find(loader), loader, origin());
    } catch (BlockException | RuntimeException | Error e) {
      try {
        loader.close();
      } catch (IOException closing) {
        e.addSuppressed(closing);
      }
      throw e;
    }
  }

  /** Where it comes from, as the user named it; nothing if it is Spindle's class path. */
  private String origin() {
    return source
        .map(Path::toString)
        .orElse(jars.stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator)));
  }

  private static void checkJar(Path jar) throws BlockException {
    if (Files.isDirectory(jar)) {
      throw new BlockException("'%s' is a folder, not a jar".formatted(jar));
    }
    try {
      new JarFile(jar.toFile()).close();
    } catch (IOException e) {
      throw UnreadableFile.of(jar, e);
    }
  }

  private URL[] urls() {
    List<URL> urls = new ArrayList<>();
    for (Path jar : jars) {
      try {
        urls.add(jar.toUri().toURL());
      } catch (MalformedURLException e) {
        throw new IllegalStateException("every path has a URL", e);
      }
    }
    return urls.toArray(URL[]::new);
  }

  private Class<?> find(PluginClassLoader loader) throws BlockException {
    if (className.isPresent()) {
      return named(className.get(), loader);
    }
    return source.isPresent() ? compiledPlugin(loader) : service(loader);
  }

  private Class<?> named(String name, PluginClassLoader loader) throws BlockException {
    // Without a file it is on the class path of the application, which may be below Spindle's.
    ClassLoader start =
        source.isEmpty() && jars.isEmpty() ? ClassLoader.getSystemClassLoader() : loader;
    try {
      return Class.forName(name, false, start);
    } catch (ClassNotFoundException e) {
      throw new BlockException("There is no class '%s'%s".formatted(name, place()), e);
    } catch (LinkageError e) {
      throw new BlockException("Class '%s' cannot be loaded: %s".formatted(name, e), e);
    }
  }

  private String place() {
    return origin().isEmpty() ? " on the class path" : " in '" + origin() + "'";
  }

  private Class<?> compiledPlugin(PluginClassLoader loader) throws BlockException {
    List<Class<?>> found = new ArrayList<>();
    for (String name : loader.compiledNames()) {
      Class<?> type = named(name, loader);
      if (DiskPlugin.class.isAssignableFrom(type)
          && !type.isInterface()
          && !Modifier.isAbstract(type.getModifiers())) {
        found.add(type);
      }
    }
    return only(found, "has no class that is a DiskDriver or a DiskFilter");
  }

  private Class<?> service(PluginClassLoader loader) throws BlockException {
    try {
      List<? extends Class<?>> found =
          ServiceLoader.load(DiskPlugin.class, loader).stream()
              .map(ServiceLoader.Provider::type)
              .filter(type -> type.getClassLoader() == loader)
              .toList();
      return only(
          found,
          "names no driver in META-INF/services/%s; name the class with 'class'"
              .formatted(DiskPlugin.class.getName()));
    } catch (ServiceConfigurationError e) {
      throw new BlockException("'%s': %s".formatted(origin(), e.getMessage()), e);
    }
  }

  private Class<?> only(List<? extends Class<?>> found, String none) throws BlockException {
    return switch (found.size()) {
      case 0 -> throw new BlockException("'%s' %s".formatted(origin(), none));
      case 1 -> found.getFirst();
      default ->
          throw new BlockException(
              "'%s' has several drivers; choose one with 'class': %s"
                  .formatted(
                      origin(),
                      found.stream()
                          .map(Class::getName)
                          .sorted()
                          .collect(Collectors.joining(", "))));
    };
  }
}
