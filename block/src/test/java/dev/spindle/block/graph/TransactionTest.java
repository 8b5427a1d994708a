// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of each action, also when another one throws. */
class TransactionTest {
  private final List<String> calls = new ArrayList<>();
  private final Transaction transaction = new Transaction();

  private final class Noting implements Transaction.Action {
    private final String name;
    private final String throwsAt;

    Noting(String name, String throwsAt) {
      this.name = name;
      this.throwsAt = throwsAt;
    }

    private void call(String what) {
      calls.add(what + " " + name);
      if (what.equals(throwsAt)) {
        throw new IllegalStateException(what + " " + name);
      }
    }

    @Override
    public void commit() {
      call("commit");
    }

    @Override
    public void abort() {
      call("abort");
    }

    @Override
    public void clean() {
      call("clean");
    }
  }

  private void add(String... throwing) {
    transaction.add(new Noting("1", throwing[0]));
    transaction.add(Transaction.both(new Noting("2", throwing[1]), new Noting("3", throwing[2])));
    transaction.add(new Noting("4", throwing[3]));
  }

  private void assertCalls(String... expected) {
    assertEquals(List.of(expected), calls);
    assertThrows(IllegalStateException.class, transaction::commit);
    assertThrows(IllegalStateException.class, transaction::abort);
    assertThrows(IllegalStateException.class, () -> transaction.add(Transaction.NOTHING));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void commitsInOrderAndCleansInReverse(boolean throwing) {
    add("", throwing ? "commit" : "", throwing ? "clean" : "", throwing ? "commit" : "");
    if (throwing) {
      RuntimeException failure = assertThrows(RuntimeException.class, transaction::commit);
      assertEquals("commit 2", failure.getMessage());
      assertEquals(
          List.of("commit 4", "clean 3"),
          List.of(failure.getSuppressed()).stream().map(Throwable::getMessage).toList());
    } else {
      transaction.commit();
    }
    assertCalls(
        "commit 1", "commit 2", "commit 3", "commit 4", "clean 4", "clean 3", "clean 2", "clean 1");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void abortsAndCleansInReverse(boolean throwing) {
    add("", "", throwing ? "abort" : "", throwing ? "clean" : "");
    if (throwing) {
      assertEquals(
          "abort 3", assertThrows(RuntimeException.class, transaction::abort).getMessage());
    } else {
      transaction.abort();
    }
    assertCalls(
        "abort 4", "abort 3", "abort 2", "abort 1", "clean 4", "clean 3", "clean 2", "clean 1");
  }

  @Test
  void anErrorIsThrownAsItIs() {
    Error error = new OutOfMemoryError("planted");
    transaction.add(
        new Transaction.Action() {
          @Override
          public void clean() {
            throw error;
          }
        });
    assertSame(error, assertThrows(Error.class, transaction::abort));
  }
}
