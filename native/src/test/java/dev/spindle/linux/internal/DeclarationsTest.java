// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.annotation.Annotation;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Compares every constant and every structure that this module declares with what a C compiler
 * makes of the kernel's headers. Declarations are found by their annotations in the compiled
 * classes, so none can be left out.
 */
class DeclarationsTest {
  /** One Java constant and the C expression that it must equal. */
  private record Declaration(String javaName, String expression, long value) {}

  @TempDir Path directory;

  @Test
  void everyDeclarationEqualsTheHeaders() throws Exception {
    // Headers fight each other (glibc's and the kernel's), so each set of them is compiled alone.
    Map<List<String>, List<Declaration>> byHeaders = new HashMap<>();
    int classes = 0;
    for (Class<?> type : declaringClasses()) {
      classes++;
      CConstants constants = type.getAnnotation(CConstants.class);
      CStruct struct = type.getAnnotation(CStruct.class);
      List<String> headers = List.of(constants != null ? constants.headers() : struct.headers());
      List<Declaration> declarations =
          byHeaders.computeIfAbsent(headers, unused -> new ArrayList<>());
      for (Field field : constantFields(type)) {
        String expression =
            constants != null ? constantOf(field, constants) : memberOf(field, struct);
        declarations.add(
            new Declaration(
                type.getName() + "." + field.getName(), expression, valueOf(type, field)));
      }
    }
    assertTrue(classes >= 40, "found only " + classes + " declaring classes");

    Map<String, String> wrong = new TreeMap<>();
    int compared = 0;
    for (Map.Entry<List<String>, List<Declaration>> group : byHeaders.entrySet()) {
      Map<String, Long> truth = compileAndRun(group.getKey(), group.getValue());
      for (Declaration declaration : group.getValue()) {
        compared++;
        long expected = truth.get(declaration.javaName());
        // An int constant stands for the C value's low 32 bits when that is unsigned.
        if (expected != declaration.value() && (int) expected != declaration.value()) {
          wrong.put(
              declaration.javaName(),
              declaration.value() + " but " + declaration.expression() + " is " + expected);
        }
      }
    }
    assertTrue(compared > 500, "compared only " + compared);
    assertEquals(Map.of(), wrong);
  }

  private static long valueOf(Class<?> type, Field field) throws ReflectiveOperationException {
    field.setAccessible(true);
    if (!type.isEnum()) {
      return ((Number) field.get(null)).longValue();
    }
    Field number = type.getDeclaredField("number");
    number.setAccessible(true);
    return number.getInt(field.get(null));
  }

  private static String constantOf(Field field, CConstants constants) {
    CName name = field.getAnnotation(CName.class);
    if (name != null) {
      return name.value();
    }
    String suffix = field.getName();
    return constants.prefix() + (constants.lowerCase() ? lower(suffix) : suffix);
  }

  private static String memberOf(Field field, CStruct struct) {
    if (field.getName().equals("SIZE")) {
      return "sizeof(" + struct.value() + ")";
    }
    CName name = field.getAnnotation(CName.class);
    String member = name != null ? name.value() : lower(field.getName());
    return "offsetof(" + struct.value() + ", " + member + ")";
  }

  private static String lower(String name) {
    return name.toLowerCase(Locale.ROOT);
  }

  private static List<Field> constantFields(Class<?> type) {
    return Stream.of(type.getDeclaredFields())
        .filter(field -> Modifier.isStatic(field.getModifiers()))
        .filter(field -> Modifier.isFinal(field.getModifiers()))
        .filter(
            field ->
                type.isEnum()
                    ? field.isEnumConstant()
                    : field.getType() == int.class || field.getType() == long.class)
        .toList();
  }

  private static List<Class<?>> declaringClasses() throws Exception {
    URI classes = CConstants.class.getProtectionDomain().getCodeSource().getLocation().toURI();
    Path root = Path.of(classes);
    assertTrue(Files.isDirectory(root), root + " holds no class files");
    List<Path> files;
    try (Stream<Path> walk = Files.walk(root)) {
      files = walk.filter(file -> file.toString().endsWith(".class")).sorted().toList();
    }
    List<Class<?>> declaring = new ArrayList<>();
    for (Path file : files) {
      String name = root.relativize(file).toString().replace('/', '.');
      name = name.substring(0, name.length() - ".class".length());
      if (name.endsWith("-info")) {
        continue;
      }
      Class<?> type = Class.forName(name, false, DeclarationsTest.class.getClassLoader());
      if (has(type, CConstants.class) || has(type, CStruct.class)) {
        declaring.add(type);
      }
    }
    return declaring;
  }

  private static boolean has(Class<?> type, Class<? extends Annotation> annotation) {
    return type.isAnnotationPresent(annotation);
  }

  private Map<String, Long> compileAndRun(List<String> headers, List<Declaration> declarations)
      throws IOException, InterruptedException {
    StringBuilder source = new StringBuilder("#define _GNU_SOURCE\n#include <stdio.h>\n");
    source.append("#include <stddef.h>\n");
    headers.forEach(header -> source.append("#include <").append(header).append(">\n"));
    source.append("int main(void) {\n");
    for (Declaration declaration : declarations) {
      source
          .append("  printf(\"%s %lld\\n\", \"")
          .append(declaration.javaName())
          .append("\", (long long) (")
          .append(declaration.expression())
          .append("));\n");
    }
    source.append("}\n");
    Path file = Files.writeString(directory.resolve("declarations.c"), source);
    Path program = directory.resolve("declarations");
    run("gcc", "-w", "-o", program.toString(), file.toString());
    Map<String, Long> values = new HashMap<>();
    for (String line : run(program.toString()).lines().toList()) {
      int space = line.lastIndexOf(' ');
      values.put(line.substring(0, space), Long.parseLong(line.substring(space + 1)));
    }
    assertEquals(declarations.size(), values.size());
    return values;
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), output);
    assertFalse(command.length == 1 && output.isEmpty(), "no output");
    return output;
  }
}
