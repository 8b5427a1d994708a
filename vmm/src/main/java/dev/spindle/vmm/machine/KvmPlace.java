// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.machine;

import dev.spindle.linux.kvm.KvmProbe;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Supplier;

/** Where guests run. */
public enum KvmPlace {
  /** On this machine's own KVM. */
  HOST,
  /** In the KVM host: an emulated machine that {@code guest-images/kvm-host} starts. */
  NESTED;

  /**
   * The environment variable by which a user decides: {@code host}, {@code nested}, {@code auto}.
   */
  public static final String VARIABLE = "SPINDLE_KVM";

  /**
   * A decision.
   *
   * @param reason why, as a sentence without a full stop
   */
  public record Choice(KvmPlace place, String reason) {}

  /** Decides by {@link #VARIABLE} and, unless it says {@code nested}, by probing this machine. */
  public static Choice choose() throws IOException {
    return choose(Optional.ofNullable(System.getenv(VARIABLE)), KvmProbe::run);
  }

  static Choice choose(Optional<String> wish, Supplier<KvmProbe.Result> probe) throws IOException {
    return switch (wish.filter(w -> !w.isEmpty()).orElse("auto")) {
      case "nested" -> new Choice(NESTED, VARIABLE + "=nested asks for the KVM host");
      case "host" -> {
        KvmProbe.Result result = probe.get();
        if (!(result instanceof KvmProbe.Result.Usable)) {
          throw new IOException(
              VARIABLE + " asks for this machine's KVM, but " + result.sentence());
        }
        yield new Choice(HOST, VARIABLE + "=host asks for this machine's KVM");
      }
      case "auto" -> {
        KvmProbe.Result result = probe.get();
        yield new Choice(
            result instanceof KvmProbe.Result.Usable ? HOST : NESTED, result.sentence());
      }
      case String other ->
          throw new IOException(VARIABLE + " is host, nested or auto, not '" + other + "'");
    };
  }
}
