// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.luks;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.crypto.CryptLane;
import dev.spindle.block.crypto.LockedLane;
import dev.spindle.block.crypto.LuksHeader;
import dev.spindle.block.crypto.LuksKey;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.ImageDescription;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Shows deciphered what its file holds behind a LUKS header. */
final class LuksNode extends BlockNode implements DescribedImage {
  private static final int SECTOR = 512;

  private final BlockNode firstFile;
  private final OpeningOptions opening;
  private final RangeLocks writes = new RangeLocks();
  private BlockEdge file;
  private LuksHeader header;

  /** Null where nobody is to see the data. */
  private LuksKey key;

  private LuksNode(String name, BlockNode file, OpeningOptions opening) {
    super(name, "luks", file.context());
    this.firstFile = file;
    this.opening = opening;
  }

  /**
   * Opens a disk. Control side; takes as long as its password is to take.
   *
   * @param password empty to see only what the header says
   */
  static LuksNode open(
      BlockGraph graph,
      String name,
      BlockNode child,
      OpeningOptions opening,
      Optional<byte[]> password)
      throws BlockException {
    LuksNode node = new LuksNode(name, child, opening);
    node.file = node.attachChild(child, "file", ChildRole.IMAGE);
    try {
      BlockLane lane = child.openLane(graph.mainContext());
      try {
        node.readHeader(new ImageFile(child, lane), password);
      } finally {
        lane.close();
      }
    } catch (BlockException | RuntimeException | Error e) {
      node.detachChildren();
      throw e;
    }
    return node;
  }

  private void readHeader(ImageFile image, Optional<byte[]> password) throws ImageException {
    LuksHeader found = LuksKey.readHeader(image, 0);
    if (found.payloadOffset() < LuksHeader.BYTES || found.payloadOffset() > image.length()) {
      throw new ImageException(
          "The data of %s begin at %d, and it has %d bytes"
              .formatted(image.name(), found.payloadOffset(), image.length()));
    }
    if (password.isPresent()) {
      key = LuksKey.unlock(image, 0, found, password.get());
    }
    header = found;
  }

  private BlockNode file() {
    return file == null ? firstFile : file.node();
  }

  @Override
  public long length() {
    return header == null
        ? 0
        : Math.max(0, file().length() - header.payloadOffset()) / SECTOR * SECTOR;
  }

  @Override
  public void resize(long newLength) throws BlockException {
    if (newLength > Long.MAX_VALUE - header.payloadOffset() - SECTOR) {
      throw new BlockException("Node '%s' cannot be as long as that".formatted(name()));
    }
    long sectors = (newLength + SECTOR - 1) / SECTOR;
    file().resize(header.payloadOffset() + sectors * SECTOR);
  }

  @Override
  public boolean readOnly() {
    return opening.readOnly() || file().readOnly();
  }

  @Override
  public BlockLimits limits() {
    BlockLimits below = file().limits();
    return new BlockLimits(Math.max(SECTOR, below.requestAlignment()), below.memoryAlignment());
  }

  @Override
  protected String detail() {
    return file().localFile().map(Object::toString).orElse("");
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    return opening.prepareReopen(this, options);
  }

  @Override
  public ImageDescription describeImage() {
    return new ImageDescription(
        OptionalInt.empty(),
        true,
        false,
        false,
        Optional.empty(),
        Optional.empty(),
        List.of(),
        header.describe());
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    BlockLane below = file().openLane(context);
    return key == null
        ? new LockedLane(below)
        : new CryptLane(context, "luks-" + name(), below, key, header.payloadOffset(), writes);
  }

  @Override
  public void close() {
    detachChildren();
  }
}
