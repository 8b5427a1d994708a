// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.nbd.FuzzChannel;
import dev.spindle.block.nbd.HeaderStyle;
import java.io.EOFException;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fuzzer is a server that negotiates: the first byte says whether the client wants TLS, the
 * others are what it says. Either the two come to terms that a node can have, or the client says
 * what is wrong, or the connection has ended.
 */
class ServerNegotiationFuzzTest {
  private static final int WITH_TLS = 1;

  /** More than any answer has. */
  private static final int MOST_AT_ONCE = 16 << 10;

  static Stream<byte[]> seeds() {
    return ServerSeeds.negotiations();
  }

  @MethodSource("seeds")
  @FuzzTest(maxDuration = "", maxExecutions = 20_000)
  void server(byte[] bytes) throws Exception {
    if (bytes.length == 0) {
      return;
    }
    NbdOptions options =
        NbdOptions.from(Disk.options("server.type=unix,server.path=/none,export=disk"));
    FuzzChannel channel = new FuzzChannel(bytes, 1);
    boolean[] secured = new boolean[1];
    Negotiation.Upgrade tls =
        () -> {
          secured[0] = true;
          return channel;
        };
    boolean withTls = (bytes[0] & WITH_TLS) != 0;
    try {
      ExportTerms terms = new Negotiation(channel, options, withTls ? tls : null).run();
      assertEquals(withTls, secured[0]);
      check(terms);
    } catch (NegotiationException e) {
      assertNotNull(e.getMessage());
      assertTrue(e.getMessage().chars().noneMatch(Character::isISOControl), e.getMessage());
    } catch (EOFException e) {
      assertTrue(channel.isAtEnd());
    }
    assertTrue(channel.mostAtOnce <= MOST_AT_ONCE, channel.mostAtOnce + " bytes at once");
  }

  private static void check(ExportTerms terms) {
    int minimum = terms.sizes().minimum();
    assertEquals(1, Integer.bitCount(minimum));
    assertTrue(minimum > 0 && minimum <= terms.sizes().maximumPayload());
    assertTrue(terms.size() >= 0 && terms.size() <= Long.MAX_VALUE - 511);
    assertEquals(0, terms.size() % minimum);
    assertEquals(0, terms.sizes().maximumPayload() % minimum);
    assertTrue(terms.style() != HeaderStyle.SIMPLE || !terms.hasContext());
  }
}
