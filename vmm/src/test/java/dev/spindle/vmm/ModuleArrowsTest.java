// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.module.ModuleDescriptor;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Holds the arrows of the architecture: a module sees only those below it, and native code and raw
 * addresses stay in {@code dev.spindle.linux}.
 *
 * <p>The module system refuses a reversed arrow by itself as long as the module descriptors are
 * right, so the descriptors are checked too.
 */
final class ModuleArrowsTest {
  private static final String LINUX = "dev.spindle.linux..";
  private static final String BLOCK = "dev.spindle.block..";
  private static final String DEVICES = "dev.spindle.devices..";
  private static final String VMM = "dev.spindle.vmm..";

  private static JavaClasses spindle;

  @BeforeAll
  static void importClasses() {
    spindle =
        new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.spindle");
  }

  @Test
  void everyModuleIsSeen() {
    for (String module : Set.of(LINUX, BLOCK, DEVICES, VMM)) {
      assertTrue(
          spindle.stream().anyMatch(c -> resideInAPackage(module).test(c)),
          () -> "no class imported from " + module);
    }
  }

  @Test
  void linuxSeesNothingAbove() {
    below(LINUX, BLOCK, DEVICES, VMM).check(spindle);
  }

  @Test
  void blockSeesNothingAbove() {
    below(BLOCK, DEVICES, VMM).check(spindle);
  }

  @Test
  void devicesSeeNothingAbove() {
    below(DEVICES, VMM).check(spindle);
  }

  @Test
  void descriptorsRequireOnlyWhatLiesBelow() {
    assertEquals(Set.of(), spindleModulesRequiredBy("dev.spindle.linux"));
    assertTrue(
        Set.of("dev.spindle.linux").containsAll(spindleModulesRequiredBy("dev.spindle.block")));
    assertTrue(
        Set.of("dev.spindle.linux", "dev.spindle.block")
            .containsAll(spindleModulesRequiredBy("dev.spindle.devices")));
  }

  @Test
  void onlyLinuxCallsNativeCode() {
    ArchRule rule =
        noClasses()
            .that()
            .resideOutsideOfPackage(LINUX)
            .should()
            .dependOnClassesThat()
            .belongToAnyOf(MethodHandle.class, Linker.class, SymbolLookup.class)
            .because("native code is called in dev.spindle.linux only");
    rule.check(spindle);
    assertSees(rule, BreaksBoth.class);
  }

  @Test
  void onlyLinuxHoldsRawAddresses() {
    ArchRule rule =
        noClasses()
            .that()
            .resideOutsideOfPackage(LINUX)
            .should()
            .callMethodWhere(describe("gives or takes a raw address", RAW_ADDRESS))
            .because("a raw address appears in dev.spindle.linux only");
    rule.check(spindle);
    assertSees(rule, BreaksBoth.class);
  }

  private static final Set<String> RAW_ADDRESS_METHODS =
      Set.of("address", "ofAddress", "reinterpret");

  private static final Predicate<JavaMethodCall> RAW_ADDRESS =
      call ->
          call.getTargetOwner().isEquivalentTo(MemorySegment.class)
              && RAW_ADDRESS_METHODS.contains(call.getName());

  private static ArchRule below(String packages, String... above) {
    return noClasses()
        .that()
        .resideInAPackage(packages)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(above);
  }

  private static Set<String> spindleModulesRequiredBy(String module) {
    return ModuleLayer.boot().findModule(module).orElseThrow().getDescriptor().requires().stream()
        .map(ModuleDescriptor.Requires::name)
        .filter(name -> name.startsWith("dev.spindle."))
        .collect(Collectors.toSet());
  }

  private static void assertSees(ArchRule rule, Class<?> breaksIt) {
    JavaClasses broken = new ClassFileImporter().importClasses(breaksIt);
    assertThrows(AssertionError.class, () -> rule.check(broken));
  }

  /** What the rules forbid outside {@code dev.spindle.linux}, to prove that they see it. */
  static final class BreaksBoth {
    static MemorySegment symbol(String name) {
      return MemorySegment.ofAddress(
          Linker.nativeLinker().defaultLookup().find(name).orElseThrow().address());
    }
  }
}
