// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.FuzzChannel;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.TransmissionFlags;
import java.io.EOFException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fuzzer is a client that negotiates: the first byte says what server it meets, the others are
 * what it says. Whatever that is, each option gets the answers that the protocol allows and one
 * that ends them, or the connection ends.
 */
class NegotiationFuzzTest {
  private static final int WITH_TLS = 1;

  /** As much as the server ever keeps of what a client says at a time. */
  private static final int MOST_AT_ONCE = 64 << 10;

  /** Answers to one option: the exports, or what there is to say of one, and the end. */
  private static final int MOST_ANSWERS = 6;

  private static final List<OfferedExport> EXPORTS =
      List.of(
          new Offer("disk", "what a test exports"),
          new Offer("", ""),
          new Offer("\u00e4nother", "with more than ASCII in it: \u20ac"));

  private record Offer(String name, String description) implements OfferedExport {
    @Override
    public long size() {
      return 1 << 20;
    }

    @Override
    public int transmissionFlags() {
      return TransmissionFlags.HAS_FLAGS | TransmissionFlags.SEND_FLUSH;
    }

    @Override
    public BlockSizes blockSizes() {
      return new BlockSizes(512, 4096, 32 << 20);
    }

    @Override
    public List<MetaContext> contexts() {
      return List.of(new MetaContext.Allocation(0), new MetaContext.AllocationDepth(1));
    }
  }

  static Stream<byte[]> seeds() {
    return NbdSeeds.negotiations();
  }

  @MethodSource("seeds")
  @FuzzTest(maxDuration = "", maxExecutions = 20_000)
  void client(byte[] bytes) throws Exception {
    if (bytes.length == 0) {
      return;
    }
    FuzzChannel channel = new FuzzChannel(bytes, 1);
    boolean[] secured = new boolean[1];
    // No handshake of TLS is worth fuzzing here: the JDK does it.
    TlsUpgrade tls =
        () -> {
          secured[0] = true;
          return channel;
        };
    boolean withTls = (bytes[0] & WITH_TLS) != 0;
    Negotiation.Chosen chosen = null;
    try {
      chosen = new Negotiation(() -> EXPORTS, channel, withTls ? tls : null).run();
    } catch (NegotiationException e) {
      assertNotNull(e.getMessage());
    } catch (EOFException e) {
      assertTrue(channel.isAtEnd());
    }
    assertTrue(channel.mostAtOnce <= MOST_AT_ONCE, "kept " + channel.mostAtOnce + " bytes");
    if (chosen != null) {
      assertTrue(secured[0] || !withTls, "an export without TLS");
      check(chosen);
    }
    checkAnswers(channel, chosen);
  }

  private static void check(Negotiation.Chosen chosen) {
    assertTrue(EXPORTS.contains(chosen.export()));
    ClientTerms terms = chosen.terms();
    if (terms.style() == HeaderStyle.SIMPLE) {
      assertEquals(List.of(), terms.contexts());
    }
    assertTrue(terms.sizes().minimum() >= 1 && terms.sizes().maximumPayload() <= 32 << 20);
    assertTrue(terms.has(TransmissionFlags.HAS_FLAGS));
  }

  /** Reads what the server has said, beside what it has been asked. */
  private static void checkAnswers(FuzzChannel channel, Negotiation.Chosen chosen) {
    ByteBuffer said = channel.written();
    assertEquals(Handshake.INIT_MAGIC, said.getLong());
    assertEquals(Handshake.OPTION_MAGIC, said.getLong());
    said.getShort();
    ByteBuffer asked = channel.read();
    if (asked.remaining() < Handshake.CLIENT_FLAGS_BYTES) {
      assertEquals(0, said.remaining());
      return;
    }
    boolean noZeroes = (asked.getInt() & Handshake.CLIENT_NO_ZEROES) != 0;
    while (said.hasRemaining()) {
      assertEquals(Handshake.OPTION_MAGIC, asked.getLong());
      int option = asked.getInt();
      asked.position(
          Math.min(asked.limit(), asked.position() + 4 + asked.getInt(asked.position())));
      if (option == OptionType.EXPORT_NAME.number()) {
        assertNotNull(chosen);
        int zeroes = noZeroes ? 0 : Handshake.EXPORT_ZEROES;
        assertEquals(Handshake.EXPORT_BYTES + zeroes, said.remaining());
        return;
      }
      checkAnswers(said, option);
    }
  }

  private static void checkAnswers(ByteBuffer said, int option) {
    for (int i = 0; i < MOST_ANSWERS; i++) {
      assertEquals(Handshake.REPLY_MAGIC, said.getLong());
      assertEquals(option, said.getInt());
      int type = said.getInt();
      int length = said.getInt();
      assertTrue(length >= 0 && length <= Handshake.LONGEST_STRING + 8, length + " bytes");
      said.position(said.position() + length);
      if (type == OptionReply.ACK.number() || OptionReply.isError(type)) {
        return;
      }
    }
    throw new AssertionError("no end of the answers to option " + option);
  }
}
