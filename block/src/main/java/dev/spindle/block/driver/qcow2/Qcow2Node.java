// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.bitmap.BitmapStore;
import dev.spindle.block.crypto.LockedLane;
import dev.spindle.block.format.BackingName;
import dev.spindle.block.format.BackingOption;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.image.AmendableImage;
import dev.spindle.block.image.BackedImage;
import dev.spindle.block.image.CheckableImage;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.EmptiedImage;
import dev.spindle.block.image.ImageDescription;
import dev.spindle.block.image.PackedImage;
import dev.spindle.block.image.PreallocatingImage;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.image.SnapshotDescription;
import dev.spindle.block.image.SnapshottedImage;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A node that shows a qcow2 image. */
final class Qcow2Node extends BlockNode
    implements AmendableImage,
        BackedImage,
        CheckableImage,
        DescribedImage,
        EmptiedImage,
        PackedImage,
        PreallocatingImage,
        SnapshottedImage {
  private static final Logger LOG = LoggerFactory.getLogger(Qcow2Node.class);

  /** What is enciphered as one. */
  private static final int SECTOR = 512;

  private final BlockNode firstFile;
  private final AioContext controlContext;
  private final OpeningOptions opening;
  private final Qcow2Options options;
  private final AtomicBoolean complained = new AtomicBoolean();

  /** Held by who makes the file longer. Virtual threads only. */
  private final ReentrantLock growth = new ReentrantLock();

  private BlockEdge file;

  /** Set while the node is opened, before anybody uses it. */
  private Qcow2Image image;

  /** Null if the image is not encrypted; set before the image. */
  private Encryption encryption;

  /** Null if the guest's clusters are in the file, or not to be seen. */
  private BlockEdge dataFile;

  private boolean external;

  private ImageWriter writer;
  private final NodeBitmaps persistentBitmaps = new NodeBitmaps(this);

  /**
   * Makes a node that {@link #open} has to complete.
   *
   * @param controlContext the main loop's
   */
  Qcow2Node(
      String name,
      BlockNode file,
      AioContext controlContext,
      OpeningOptions opening,
      Qcow2Options options) {
    super(name, "qcow2", file.context());
    this.firstFile = file;
    this.controlContext = controlContext;
    this.opening = opening;
    this.options = options;
  }

  /** Takes hold of the file, opens the image and what it backs onto. */
  void open(BlockGraph graph, BackingOption option, EncryptOption encrypt, DataFileOption data)
      throws BlockException, OptionException {
    file = attachChild(firstFile, "file", ChildRole.IMAGE);
    try {
      Qcow2Header header = onFile(io -> Qcow2Header.read(io.file()));
      unlock(graph, encrypt, header.encryption());
      openData(graph, data, header);
      onFile(
          io -> {
            image = Qcow2Image.open(this::warn, io.file(), options, !readOnly());
            return null;
          });
      writer = new ImageWriter(image);
      Optional<BlockNode> below = option.open(graph, name(), firstFile, named());
      if (below.isPresent()) {
        attachChild(below.get(), BackingOption.NAME, ChildRole.BACKING);
      }
      persistentBitmaps.load();
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      detachChildren();
      throw e;
    }
  }

  /** Comes first: with a wrong password, nothing of the image is mended. */
  private void unlock(BlockGraph graph, EncryptOption encrypt, Optional<EncryptionHeader> place)
      throws BlockException {
    encrypt.check(place.isPresent());
    if (place.isEmpty()) {
      return;
    }
    Optional<byte[]> password = encrypt.password().find(graph);
    BlockLane lane = file.node().openLane(controlContext);
    try {
      encryption = Encryption.open(new ImageFile(file.node(), lane), place.get(), password);
    } finally {
      lane.close();
    }
  }

  private void openData(BlockGraph graph, DataFileOption option, Qcow2Header header)
      throws BlockException, OptionException {
    Optional<BlockNode> node =
        option.open(graph, name(), firstFile, header, readOnly(), options.discard());
    if (node.isPresent()) {
      dataFile = attachChild(node.get(), DataFileOption.NAME, ChildRole.EXTERNAL);
    }
    external = header.has(Features.DATA_FILE);
  }

  private Optional<BlockEdge> backing() {
    return BackingChain.backing(this);
  }

  @Override
  public Optional<BackingName> backingFile() {
    return named();
  }

  @Override
  public void changeBackingFile(Optional<BackingName> name) throws BlockException {
    if (readOnly()) {
      throw new BlockException(
          "Node '%s' is read-only: its image cannot name another backing file".formatted(name()));
    }
    onFile(
        io -> {
          image.nameBacking(io, name.map(BackingName::file), name.flatMap(BackingName::format));
          return null;
        });
  }

  private Optional<BackingName> named() {
    Qcow2Header header = image.header();
    return header
        .backingName()
        .map(path -> new BackingName(path, header.text(HeaderExtension.BACKING_FORMAT)));
  }

  /** What control work does with the file, while no user's requests go to the image. */
  @FunctionalInterface
  interface FileWork<T> {
    T run(Qcow2Io io) throws Qcow2Exception;
  }

  <T> T onFile(FileWork<T> work) throws Qcow2Exception {
    return run(work, false);
  }

  /** As {@link #onFile}, with the backing file. */
  private <T> T onAll(FileWork<T> work) throws Qcow2Exception {
    return run(work, true);
  }

  private <T> T run(FileWork<T> work, boolean all) throws Qcow2Exception {
    ImageLanes lanes = imageLanes(controlContext, all);
    try {
      return work.run(lanes.io());
    } finally {
      lanes.close();
    }
  }

  private ImageLanes imageLanes(AioContext context, boolean all) {
    List<BlockNode> nodes = new ArrayList<>(List.of(file.node()));
    boolean apart = encryption != null || external;
    if (apart) {
      nodes.add(dataFile == null ? file.node() : dataFile.node());
    }
    if (all) {
      backing().ifPresent(link -> nodes.add(link.node()));
    }
    BlockLane[] lanes = openLanes(context, nodes);
    if (external && dataFile == null) {
      lanes[1] = new LockedLane(lanes[1]);
    } else if (encryption != null) {
      lanes[1] = encryption.over(context, name(), lanes[1]);
    }
    return ImageLanes.of(nodes, lanes, apart, external, growth);
  }

  Qcow2Image image() {
    return image;
  }

  ImageWriter writer() {
    return writer;
  }

  Qcow2Options options() {
    return options;
  }

  void warn(String words) {
    LOG.warn("Node '{}': {}", name(), words);
  }

  /** A request failed. The first time, the log says why: the guest is told only that. */
  void complain(Qcow2Exception reason) {
    if (complained.compareAndSet(false, true)) {
      LOG.warn("Node '{}': {}", name(), reason.getMessage());
    }
  }

  @Override
  public long length() {
    return image == null ? 0 : image.length();
  }

  @Override
  public void resize(long newLength) throws BlockException {
    if (readOnly()) {
      throw new BlockException("Node '" + name() + "' is read-only, and cannot be resized");
    }
    if (!image.snapshots().isEmpty()) {
      throw new BlockException(
          "Node '%s' cannot be resized: its image has internal snapshots".formatted(name()));
    }
    if (!controlContext.isOwner()) {
      throw new BlockException("Node '" + name() + "' cannot be resized by a node above it");
    }
    long length = (newLength + 511) & -512;
    onAll(
        io -> {
          new ImageResize(image, io, writer).run(length);
          return null;
        });
  }

  @Override
  public void preallocate(long from, Preallocation mode) throws BlockException {
    if (backing().isPresent()) {
      throw new BlockException(
          "Node '%s' has a backing file: preallocation does not go with it".formatted(name()));
    }
    onFile(
        io -> {
          new ClusterReservation(image, io, mode).take(from, image.length());
          return null;
        });
  }

  @Override
  public boolean readOnly() {
    return opening.readOnly()
        || (encryption != null && encryption.isLocked())
        || (external && (dataFile == null || dataFile.node().readOnly()))
        || (file == null ? firstFile : file.node()).readOnly();
  }

  @Override
  public BlockLimits limits() {
    int sector = encryption == null ? 1 : SECTOR;
    return new BlockLimits(sector, firstFile.limits().memoryAlignment());
  }

  @Override
  protected String detail() {
    return firstFile.localFile().map(Object::toString).orElse("");
  }

  @Override
  public ImageDescription describeImage() {
    return ImageReport.of(image.header(), image.snapshots(), image.bitmaps().entries(), encryption);
  }

  @Override
  public List<SnapshotDescription> snapshots() {
    return describeImage().snapshots();
  }

  @Override
  public String createSnapshot(String name, Instant time) throws BlockException {
    return whileStill(snapshots -> snapshots.create(name, time));
  }

  @Override
  public void applySnapshot(String id) throws BlockException {
    if (!bitmaps().isEmpty()) {
      throw new BlockException("Device has active dirty bitmaps");
    }
    whileStill(
        snapshots -> {
          snapshots.apply(id);
          return null;
        });
  }

  @Override
  public void deleteSnapshot(String id) throws BlockException {
    whileStill(
        snapshots -> {
          snapshots.delete(id);
          return null;
        });
  }

  /** What is done with the image's snapshots. */
  @FunctionalInterface
  private interface SnapshotWork<T> {
    T run(InternalSnapshots snapshots) throws Qcow2Exception;
  }

  @Override
  public void showSnapshot(String id) throws BlockException {
    if (!readOnly()) {
      throw new BlockException("Node '" + name() + "' is not read-only");
    }
    try (DrainedSection section = DrainedSection.begin(this)) {
      onFile(
          io -> {
            new InternalSnapshots(image, io).show(id);
            return null;
          });
      if (bitmaps().size() != length()) {
        bitmaps().resize(length());
      }
    }
  }

  @Override
  public void makeEmpty() throws BlockException {
    if (readOnly()) {
      throw new BlockException("Node '" + name() + "' is read-only");
    }
    try (DrainedSection section = DrainedSection.begin(this)) {
      onFile(
          io -> {
            new ImageResize(image, io, writer).giveUpAll();
            return null;
          });
    }
  }

  @Override
  public void checkAmendment(Amendment amendment) throws BlockException {
    new ImageAmendment(image, amendment).check();
  }

  @Override
  public void amend(Amendment amendment) throws BlockException {
    if (readOnly()) {
      throw new BlockException("Node '" + name() + "' is read-only");
    }
    try (DrainedSection section = DrainedSection.begin(this)) {
      onAll(
          io -> {
            new ImageAmendment(image, amendment).run(io, writer);
            return null;
          });
    }
  }

  @Override
  public int packedBytes() {
    return external || encryption != null ? 0 : image.geometry().clusterSize();
  }

  private <T> T whileStill(SnapshotWork<T> work) throws BlockException {
    if (readOnly()) {
      throw new BlockException("Node '" + name() + "' is read-only");
    }
    try (DrainedSection section = DrainedSection.begin(this)) {
      return onFile(io -> work.run(new InternalSnapshots(image, io)));
    }
  }

  @Override
  public Result checkImage(Set<Repair> repairs, Consumer<String> messages) throws BlockException {
    if (!repairs.isEmpty() && readOnly()) {
      throw new BlockException("Node '" + name() + "' is read-only, and cannot be repaired");
    }
    CheckResult found =
        onFile(
            io -> {
              image.settle(io);
              return ImageCheck.run(
                  image,
                  io,
                  repairs.contains(Repair.LEAKS),
                  repairs.contains(Repair.ERRORS),
                  messages);
            });
    return found.result();
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options given, GraphChange links)
      throws BlockException, OptionException {
    Optional<String> wanted = given.optionalNodeName(BackingOption.NAME);
    boolean wasReadOnly = readOnly();
    Transaction.Action change = opening.prepareReopen(this, given);
    try {
      persistentBitmaps.followAccess();
      if (wanted.isPresent() && backing().isEmpty() && named().isEmpty()) {
        throw new BlockException("The image of node '" + name() + "' has no backing file");
      }
      if (wasReadOnly != readOnly()) {
        changeAccess();
      }
      if (wanted.isPresent()) {
        BackingOption.change(this, wanted.get(), graph, links);
      }
    } catch (BlockException | RuntimeException | Error e) {
      change.abort();
      persistentBitmaps.followAccess();
      throw e;
    }
    return new Transaction.Action() {
      @Override
      public void commit() {
        change.commit();
      }

      @Override
      public void abort() {
        change.abort();
        persistentBitmaps.followAccess();
      }

      @Override
      public void clean() {
        change.clean();
      }
    };
  }

  private void changeAccess() throws Qcow2Exception {
    if (readOnly()) {
      onFile(
          io -> {
            image.settle(io);
            return null;
          });
    } else {
      image.checkWritable();
    }
  }

  @Override
  protected void writeBack() throws BlockException {
    onFile(
        io -> {
          image.settle(io);
          return null;
        });
    persistentBitmaps.store();
  }

  @Override
  protected long bitmapUnit() {
    return image.geometry().clusterSize();
  }

  @Override
  protected BitmapStore bitmapStore() {
    return persistentBitmaps;
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new Qcow2Lane(this, context, imageLanes(context, true));
  }

  @Override
  protected void settle() {
    if (image != null && !readOnly()) {
      try {
        writeBack();
      } catch (BlockException e) {
        LOG.warn("Node '{}' is closed as it is: {}", name(), e.getMessage());
      }
    }
  }

  @Override
  public void close() {
    settle();
    detachChildren();
  }
}
