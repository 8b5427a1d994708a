// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HandshakeChannel;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.InfoType;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.TransmissionFlags;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The handshake with one client (fixed newstyle negotiation): straight-line code that ends when the
 * client has chosen an export, or gives up.
 */
final class Negotiation {
  /** The longest option that is looked at: a name, and as many queries as anybody needs. */
  private static final int LONGEST_OPTION = 64 << 10;

  /** From this on, skipping what a client sends is not worth it. */
  private static final long LONGEST_SKIPPED = 32L << 20;

  private static final int SKIPPED_AT_ONCE = 4096;

  /**
   * What a client has chosen.
   *
   * @param channel by which it goes on
   */
  record Chosen(OfferedExport export, ClientTerms terms, HandshakeChannel channel) {}

  private final ExportDirectory directory;

  /** Null if the server has no TLS. */
  private final TlsUpgrade tls;

  private HandshakeChannel channel;
  private OptionWriter writer;
  private boolean secured;
  private boolean fixedNewstyle;
  private boolean noZeroes;

  // What the client has negotiated so far.
  private HeaderStyle style = HeaderStyle.SIMPLE;

  /** Null until contexts are chosen. */
  private OfferedExport contextsOf;

  private List<MetaContext> contexts = List.of();

  Negotiation(ExportDirectory directory, HandshakeChannel channel, TlsUpgrade tls) {
    this.directory = directory;
    this.channel = channel;
    this.writer = new OptionWriter(channel);
    this.tls = tls;
  }

  /**
   * Negotiates.
   *
   * @return what the client has chosen, or null if it has said that it leaves
   * @throws NegotiationException if it breaks the rules
   * @throws IOException if the connection ends
   */
  Chosen run() throws IOException, NegotiationException {
    writer.greet(Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES);
    int flags = (int) number(channel.read(Handshake.CLIENT_FLAGS_BYTES), 0, Integer.BYTES);
    if ((flags & ~(Handshake.CLIENT_FIXED_NEWSTYLE | Handshake.CLIENT_NO_ZEROES)) != 0) {
      throw new NegotiationException("client flags 0x" + Integer.toHexString(flags));
    }
    fixedNewstyle = (flags & Handshake.CLIENT_FIXED_NEWSTYLE) != 0;
    noZeroes = (flags & Handshake.CLIENT_NO_ZEROES) != 0;
    while (true) {
      byte[] header = channel.read(Handshake.OPTION_HEADER_BYTES);
      if (number(header, 0, Long.BYTES) != Handshake.OPTION_MAGIC) {
        throw new NegotiationException("an option without the magic number");
      }
      int option = (int) number(header, 8, Integer.BYTES);
      long length = number(header, 12, Integer.BYTES);
      OptionType type = OptionType.of(option);
      if (type == OptionType.EXPORT_NAME) {
        return useByName(length);
      }
      if (!fixedNewstyle) {
        throw new NegotiationException(
            "option " + option + " from a client that cannot be answered");
      }
      if (type == OptionType.ABORT) {
        skip(length);
        writer.acknowledge(option);
        return null;
      }
      Chosen chosen = answer(option, type, length);
      if (chosen != null) {
        return chosen;
      }
    }
  }

  private static long number(byte[] bytes, int at, int length) {
    long number = 0;
    for (int i = 0; i < length; i++) {
      number = number << Byte.SIZE | Byte.toUnsignedLong(bytes[at + i]);
    }
    return number;
  }

  private void skip(long length) throws IOException, NegotiationException {
    if (length > LONGEST_SKIPPED) {
      throw new NegotiationException("an option of " + length + " bytes");
    }
    for (long left = length; left > 0; left -= SKIPPED_AT_ONCE) {
      channel.read((int) Math.min(left, SKIPPED_AT_ONCE));
    }
  }

  /** Answers an option; returns what was chosen if that was it. */
  private Chosen answer(int option, OptionType type, long length)
      throws IOException, NegotiationException {
    try {
      if (length > LONGEST_OPTION) {
        skip(length);
        throw new OptionRefusal(
            OptionReply.ERR_TOO_BIG, "an option of " + length + " bytes is too long");
      }
      OptionData data = new OptionData(channel.read((int) length));
      if (tls != null && !secured && type != OptionType.STARTTLS) {
        throw new OptionRefusal(OptionReply.ERR_TLS_REQD, "this server wants TLS first");
      }
      if (type == null) {
        throw new OptionRefusal(OptionReply.ERR_UNSUP, "option " + option + " is not known");
      }
      return switch (type) {
        case LIST -> list(data);
        case INFO -> describe(OptionType.INFO, data);
        case GO -> describe(OptionType.GO, data);
        case STARTTLS -> startTls(data);
        case STRUCTURED_REPLY -> useStructured(data);
        case EXTENDED_HEADERS -> useExtended(data);
        case LIST_META_CONTEXT -> listContexts(data);
        case SET_META_CONTEXT -> setContexts(data);
        case EXPORT_NAME, ABORT -> throw new IllegalStateException(type.toString());
      };
    } catch (OptionRefusal e) {
      writer.refuse(option, e);
      return null;
    }
  }

  private Chosen useByName(long length) throws IOException, NegotiationException {
    if (length > Handshake.LONGEST_STRING) {
      throw new NegotiationException("an export name of " + length + " bytes");
    }
    if (tls != null && !secured) {
      throw new NegotiationException("chose an export without TLS");
    }
    if (style == HeaderStyle.EXTENDED) {
      throw new NegotiationException("EXPORT_NAME after EXTENDED_HEADERS");
    }
    String name;
    try {
      name = new OptionData(channel.read((int) length)).string(length);
    } catch (OptionRefusal e) {
      throw new NegotiationException("an export name that is " + e.getMessage());
    }
    OfferedExport export = directory.find(name);
    if (export == null) {
      throw new NegotiationException("asked for export '" + name + "', which does not exist");
    }
    ClientTerms terms = terms(export, BlockSizes.DEFAULT);
    writer.tellExport(export.size(), terms.transmissionFlags(), !noZeroes);
    return new Chosen(export, terms, channel);
  }

  private Chosen list(OptionData data) throws IOException, OptionRefusal {
    data.end();
    for (OfferedExport export : directory.exports()) {
      writer.tellServer(export.name(), export.description());
    }
    writer.acknowledge(OptionType.LIST.number());
    return null;
  }

  private OfferedExport find(String name) throws OptionRefusal {
    OfferedExport export = directory.find(name);
    if (export == null) {
      throw new OptionRefusal(
          OptionReply.ERR_UNKNOWN, "there is no export '" + name + "' on this server");
    }
    return export;
  }

  private Chosen describe(OptionType type, OptionData data) throws IOException, OptionRefusal {
    String name = data.string(data.number32());
    int count = data.number16();
    Set<InfoType> wanted = new HashSet<>();
    for (int i = 0; i < count; i++) {
      InfoType info = InfoType.of(data.number16());
      if (info != null) {
        wanted.add(info);
      }
    }
    data.end();
    OfferedExport export = find(name);
    boolean keepsToSizes = wanted.contains(InfoType.BLOCK_SIZE);
    BlockSizes sizes = keepsToSizes ? export.blockSizes() : BlockSizes.DEFAULT;
    ClientTerms terms = terms(export, sizes);
    int option = type.number();
    writer.tellInfo(option, export, terms, wanted);
    writer.acknowledge(option);
    return type == OptionType.GO ? new Chosen(export, terms, channel) : null;
  }

  private ClientTerms terms(OfferedExport export, BlockSizes sizes) {
    // Not by name: another export may have it meanwhile.
    boolean aboutThis = contextsOf == export;
    List<MetaContext> chosen = aboutThis ? contexts : List.of();
    int flags = export.transmissionFlags();
    if (style != HeaderStyle.SIMPLE) {
      flags |= TransmissionFlags.SEND_DF;
    }
    if (style == HeaderStyle.EXTENDED && !chosen.isEmpty()) {
      flags |= TransmissionFlags.BLOCK_STATUS_PAYLOAD;
    }
    return new ClientTerms(style, sizes, flags, chosen);
  }

  private Chosen startTls(OptionData data) throws IOException, OptionRefusal {
    if (tls == null) {
      throw new OptionRefusal(OptionReply.ERR_POLICY, "this server has no TLS");
    }
    if (secured) {
      throw new OptionRefusal(OptionReply.ERR_INVALID, "this is TLS already");
    }
    data.end();
    writer.acknowledge(OptionType.STARTTLS.number());
    channel = tls.upgrade();
    writer = new OptionWriter(channel);
    secured = true;
    // Whatever somebody said before, in the clear, does not count.
    style = HeaderStyle.SIMPLE;
    contexts = List.of();
    return null;
  }

  private Chosen useStructured(OptionData data) throws IOException, OptionRefusal {
    data.end();
    if (style == HeaderStyle.EXTENDED) {
      throw new OptionRefusal(
          OptionReply.ERR_EXT_HEADER_REQD, "extended headers have been agreed on already");
    }
    style = HeaderStyle.STRUCTURED;
    writer.acknowledge(OptionType.STRUCTURED_REPLY.number());
    return null;
  }

  private Chosen useExtended(OptionData data) throws IOException, OptionRefusal {
    data.end();
    style = HeaderStyle.EXTENDED;
    writer.acknowledge(OptionType.EXTENDED_HEADERS.number());
    return null;
  }

  private Chosen listContexts(OptionData data) throws IOException, OptionRefusal {
    OfferedExport export = find(data.string(data.number32()));
    List<String> queries = queries(data);
    for (MetaContext context : export.contexts()) {
      boolean wanted =
          queries.isEmpty()
              || queries.stream().anyMatch(query -> MetaQuery.lists(query, context.name()));
      if (wanted) {
        writer.tellContext(OptionType.LIST_META_CONTEXT.number(), 0, context.name());
      }
    }
    writer.acknowledge(OptionType.LIST_META_CONTEXT.number());
    return null;
  }

  private Chosen setContexts(OptionData data) throws IOException, OptionRefusal {
    // Also if it fails, nothing is left of what was chosen before.
    contexts = List.of();
    if (style == HeaderStyle.SIMPLE) {
      throw new OptionRefusal(OptionReply.ERR_INVALID, "structured replies come first");
    }
    String name = data.string(data.number32());
    OfferedExport export = find(name);
    List<String> queries = queries(data);
    List<MetaContext> chosen = new ArrayList<>();
    for (MetaContext context : export.contexts()) {
      if (queries.contains(context.name())) {
        chosen.add(context);
        writer.tellContext(OptionType.SET_META_CONTEXT.number(), context.number(), context.name());
      }
    }
    writer.acknowledge(OptionType.SET_META_CONTEXT.number());
    contextsOf = export;
    contexts = chosen;
    return null;
  }

  private static List<String> queries(OptionData data) throws OptionRefusal {
    long count = data.number32();
    if (count > data.remaining() / Integer.BYTES) {
      throw new OptionRefusal(OptionReply.ERR_INVALID, "more queries than the option has room for");
    }
    List<String> queries = new ArrayList<>();
    for (long i = 0; i < count; i++) {
      queries.add(data.string(data.number32()));
    }
    data.end();
    return queries;
  }
}
