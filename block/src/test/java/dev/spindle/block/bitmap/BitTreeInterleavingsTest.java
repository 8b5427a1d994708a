// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import java.util.BitSet;
import java.util.List;
import org.jetbrains.kotlinx.lincheck.Actor;
import org.jetbrains.kotlinx.lincheck.execution.ExecutionScenario;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Has Lincheck switch threads between the accesses to memory of a few calls, in very many ways, and
 * compare what the calls return with what they could have returned one after another.
 */
@Tag("interleavings")
@Param(name = "bit", gen = IntGen.class, conf = "1:5")
public final class BitTreeInterleavingsTest {
  private static final int INVOCATIONS = 400;

  /** All bits are in one word far inside, which is found through the levels above only. */
  private static final long WORD = 64 * (64 * 3 + 7);

  private final BitTree tree = new BitTree(64 * 64 * 5);

  /** Any thread may. */
  @Operation
  public void set(int bit) {
    tree.set(WORD + bit, WORD + bit);
  }

  /** One thread at a time, as the next one. */
  @Operation(nonParallelGroup = "owner")
  public void clear(int bit) {
    tree.clear(WORD + bit, WORD + bit);
  }

  /** What is found from the beginning on. */
  @Operation(nonParallelGroup = "owner")
  public long next() {
    return Math.max(-1, tree.nextSet(0) - WORD);
  }

  /** One after another. */
  public static final class Sequential {
    private final BitSet bits = new BitSet();

    /** See the operation of that name. */
    public void set(int bit) {
      bits.set(bit);
    }

    /** See the operation of that name. */
    public void clear(int bit) {
      bits.clear(bit);
    }

    /** See the operation of that name. */
    public long next() {
      return bits.nextSetBit(0);
    }
  }

  @Test
  void aWordIsFilledWhileItIsEmptied() throws Exception {
    check(List.of(setting(3)), List.of(List.of(clearing(3), searching()), List.of(setting(5))));
  }

  @Test
  void aBitIsSetWhileItIsCleared() throws Exception {
    check(
        List.of(setting(3)),
        List.of(List.of(clearing(3), searching()), List.of(setting(3), setting(5))));
  }

  @Test
  void aBitIsSetByTwo() throws Exception {
    check(List.of(), List.of(List.of(setting(3), searching()), List.of(setting(3), setting(1))));
  }

  private static void check(List<Actor> before, List<List<Actor>> together) throws Exception {
    new ModelCheckingOptions()
        .addCustomScenario(new ExecutionScenario(before, together, List.of(searching()), null))
        .iterations(0)
        .invocationsPerIteration(INVOCATIONS)
        .sequentialSpecification(Sequential.class)
        .check(BitTreeInterleavingsTest.class);
  }

  private static Actor setting(Integer bit) throws Exception {
    return call("set", bit);
  }

  private static Actor clearing(Integer bit) throws Exception {
    return call("clear", bit);
  }

  private static Actor call(String name, Integer bit) throws Exception {
    return new Actor(BitTreeInterleavingsTest.class.getMethod(name, int.class), List.of(bit));
  }

  private static Actor searching() throws Exception {
    return new Actor(BitTreeInterleavingsTest.class.getMethod("next"), List.of());
  }
}
