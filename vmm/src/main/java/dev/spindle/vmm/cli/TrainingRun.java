// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import java.io.IOException;
import java.lang.module.ModuleReader;
import java.lang.module.ResolvedModule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Loads all of Spindle's classes and runs many command lines in one process, whatever their exit
 * status: the run that the build records for the JDK's AOT cache, so that what typical commands
 * need starts loaded and linked.
 *
 * <p>Its only argument is a file with one command line per line, arguments separated by blanks.
 */
final class TrainingRun {
  private TrainingRun() {}

  public static void main(String[] arguments) throws IOException {
    for (ResolvedModule module : ModuleLayer.boot().configuration().modules()) {
      if (module.name().startsWith("dev.spindle.")) {
        load(module);
      }
    }
    for (String line : Files.readAllLines(Path.of(arguments[0]))) {
      if (!line.isBlank() && !line.startsWith("#")) {
        String[] words = line.strip().split("\\s+", -1);
        if (Tools.isTool(words)) {
          Tools.run(words);
        } else {
          Main.execute(words);
        }
      }
    }
    // As a command ends, even if one of them has left a thread behind.
    System.exit(0);
  }

  /** Running a guest would load more of them, but the build machine may have no KVM for it. */
  private static void load(ResolvedModule resolved) throws IOException {
    Module module = ModuleLayer.boot().findModule(resolved.name()).orElseThrow();
    try (ModuleReader reader = resolved.reference().open();
        Stream<String> files = reader.list()) {
      files
          .filter(file -> file.endsWith(".class") && !file.equals("module-info.class"))
          .map(file -> file.substring(0, file.length() - ".class".length()).replace('/', '.'))
          .forEach(name -> Class.forName(module, name));
    }
  }
}
