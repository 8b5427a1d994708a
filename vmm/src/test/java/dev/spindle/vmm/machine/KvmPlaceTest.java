// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;

import dev.spindle.linux.kvm.KvmProbe.Result;
import java.io.IOException;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class KvmPlaceTest {
  private static final Result USABLE = new Result.Usable();
  private static final Result UNUSABLE = new Result.Unusable("it stops at INT3");

  private static KvmPlace place(String wish, Result probed) throws IOException {
    return KvmPlace.choose(Optional.ofNullable(wish), () -> probed).place();
  }

  @Test
  void unlessToldOtherwiseTheProbeDecides() throws IOException {
    for (String wish : new String[] {null, "", "auto"}) {
      assertEquals(KvmPlace.HOST, place(wish, USABLE));
      assertEquals(KvmPlace.NESTED, place(wish, UNUSABLE));
      assertEquals(KvmPlace.NESTED, place(wish, new Result.Absent("ENOENT")));
    }
  }

  @Test
  void nestedNeedsNoProbe() throws IOException {
    KvmPlace.Choice choice =
        KvmPlace.choose(Optional.of("nested"), () -> fail("probed without need"));
    assertEquals(KvmPlace.NESTED, choice.place());
  }

  @Test
  void hostIsRefusedWhereItCannotRunGuests() throws IOException {
    assertEquals(KvmPlace.HOST, place("host", USABLE));
    IOException refusal = assertThrows(IOException.class, () -> place("host", UNUSABLE));
    assertEquals(
        "SPINDLE_KVM asks for this machine's KVM, but " + UNUSABLE.sentence(),
        refusal.getMessage());
  }

  @Test
  void anyOtherWishIsAnError() {
    IOException refusal = assertThrows(IOException.class, () -> place("maybe", USABLE));
    assertEquals("SPINDLE_KVM is host, nested or auto, not 'maybe'", refusal.getMessage());
  }
}
