// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.nbd.TransmissionFlags;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.tls.X509Credentials;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;

/** An export of an NBD server. */
final class NbdNode extends BlockNode {
  private final AioContext main;
  private final OpeningOptions opening;
  private final NbdOptions options;
  private final Supplier<SSLEngine> tls;
  private final ExportTerms terms;
  private final Channels channels;

  /** Where blocks are larger than a byte: keeps writes of parts of them apart from others. */
  private final RangeLocks locks = new RangeLocks();

  private NbdNode(
      String name,
      AioContext main,
      OpeningOptions opening,
      NbdOptions options,
      Supplier<SSLEngine> tls,
      Link link) {
    super(name, "nbd", main);
    this.main = main;
    this.opening = opening;
    this.options = options;
    this.tls = tls;
    this.terms = link.terms();
    boolean many = terms.has(TransmissionFlags.CAN_MULTI_CONN);
    this.channels = new Channels(this, link, many);
  }

  /** Connects and makes the node. Control side; waits. */
  static NbdNode open(BlockGraph graph, String nodeName, OpeningOptions opening, NbdOptions options)
      throws BlockException {
    AioContext main = graph.mainContext();
    Supplier<SSLEngine> tls = tls(graph, options);
    Link link;
    try {
      long patience = TimeUnit.SECONDS.toNanos(options.openTimeout());
      link = new Connector(main, options, tls, null).connect(patience);
    } catch (IOException e) {
      throw new BlockException("Could not open " + options.target() + ": " + e.getMessage(), e);
    }
    if (link.terms().has(TransmissionFlags.READ_ONLY) && !opening.readOnly()) {
      Farewell.say(main, link);
      throw new BlockException(
          "Could not open %s: it is read-only, and read-only=on is not given"
              .formatted(options.target()));
    }
    return new NbdNode(nodeName, main, opening, options, tls, link);
  }

  private static Supplier<SSLEngine> tls(BlockGraph graph, NbdOptions options)
      throws BlockException {
    if (options.tlsCreds().isEmpty()) {
      return null;
    }
    String id = options.tlsCreds().get();
    X509Credentials found =
        graph.objects().require(id, X509Credentials.class, X509Credentials.TYPE);
    if (found.isServer()) {
      throw new BlockException("Expecting TLS credentials with a client endpoint: '" + id + "'");
    }
    String host = options.tlsHostname().orElse(options.server().hostName());
    return () -> found.clientEngine(host, 0);
  }

  /** Makes the client's end of TLS; null for no TLS. Any thread. */
  Supplier<SSLEngine> tls() {
    return tls;
  }

  /** The main loop's context. Any thread. */
  AioContext main() {
    return main;
  }

  NbdOptions options() {
    return options;
  }

  /** What the first connection has agreed to; later ones offer no less. */
  ExportTerms terms() {
    return terms;
  }

  Channels channels() {
    return channels;
  }

  RangeLocks locks() {
    return locks;
  }

  @Override
  public long length() {
    return (terms.size() + 511) & -512;
  }

  @Override
  public boolean readOnly() {
    return opening.readOnly();
  }

  @Override
  public BlockLimits limits() {
    return new BlockLimits(terms.sizes().minimum(), 1);
  }

  @Override
  protected String detail() {
    return options.target();
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options wanted, GraphChange links)
      throws BlockException, OptionException {
    Transaction.Action action = opening.prepareReopen(this, wanted);
    if (terms.has(TransmissionFlags.READ_ONLY) && !opening.readOnly()) {
      action.abort();
      throw new BlockException(
          "Cannot make node '%s' writable: the server does not let it be written"
              .formatted(name()));
    }
    return action;
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new NbdLane(this, context);
  }

  @Override
  public void close() {
    channels.close();
  }
}
