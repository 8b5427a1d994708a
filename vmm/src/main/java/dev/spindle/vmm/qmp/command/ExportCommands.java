// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;
import static dev.spindle.vmm.qmp.QmpCommand.listOf;
import static dev.spindle.vmm.qmp.QmpCommand.query;

import dev.spindle.block.export.BlockExport;
import dev.spindle.block.export.BlockExports;
import dev.spindle.block.export.ExportOptions;
import dev.spindle.block.export.ExportTypes;
import dev.spindle.block.export.nbd.NbdExportType;
import dev.spindle.block.export.nbd.NbdServer;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.qmp.OptionArguments;
import dev.spindle.vmm.qmp.QmpCommand;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import tools.jackson.databind.node.ObjectNode;

/** Nodes that are served to other programs (QAPI: block-export.json). */
public final class ExportCommands {
  /** An export that is to be: QAPI's BlockExportOptions. */
  public record NewExport(ObjectNode values) implements OptionArguments {
    @Override
    public String tag() {
      return "type";
    }

    @Override
    public Map<String, OptionList.Reader> readers() {
      Map<String, OptionList.Reader> readers = new TreeMap<>();
      ExportTypes.load()
          .forEach(
              (name, type) ->
                  readers.put(
                      name,
                      options -> {
                        ExportOptions.take(options);
                        type.read(options);
                      }));
      return readers;
    }
  }

  /** How an export ends: QAPI's BlockExportRemoveMode. */
  public enum RemoveMode {
    SAFE,
    HARD
  }

  /** Which export is to end. */
  public record ExportId(String id, Optional<RemoveMode> mode) {}

  /** An export: QAPI's BlockExportInfo. */
  public record ExportInfo(String id, String type, String nodeName, boolean shuttingDown) {}

  /** Where a server listens: QAPI's SocketAddressLegacy. */
  public record LegacyAddress(AddressType type, AddressData data) {}

  /** What a socket is. */
  public enum AddressType {
    UNIX,
    INET
  }

  /** {@code path} of a socket of type unix, {@code host} and {@code port} of one of type inet. */
  public record AddressData(Optional<String> path, Optional<String> host, Optional<String> port) {}

  /** An NBD server that is to be: QAPI's nbd-server-start. */
  public record NbdServerStart(
      LegacyAddress addr,
      Optional<Integer> handshakeMaxSeconds,
      Optional<String> tlsCreds,
      Optional<Integer> maxConnections) {
    Options options() {
      Map<String, String> values = new LinkedHashMap<>();
      AddressData data = addr.data();
      values.put("addr.type", addr.type().name().toLowerCase(Locale.ROOT));
      data.path().ifPresent(path -> values.put("addr.path", path));
      data.host().ifPresent(host -> values.put("addr.host", host));
      data.port().ifPresent(port -> values.put("addr.port", port));
      handshakeMaxSeconds.ifPresent(most -> values.put("handshake-max-seconds", "" + most));
      tlsCreds.ifPresent(id -> values.put("tls-creds", id));
      maxConnections.ifPresent(most -> values.put("max-connections", "" + most));
      return new Options("nbd-server-start", values);
    }
  }

  /** A node that is to be served by NBD: QAPI's NbdServerAddOptions. */
  public record NbdServerAdd(
      String device,
      Optional<String> name,
      Optional<String> description,
      Optional<Boolean> writable,
      Optional<String> bitmap) {
    /**
     * As {@code block-export-add} takes it.
     *
     * @param readOnly whether the node takes no writes; that is no error here
     */
    Options options(boolean readOnly) {
      Map<String, String> values = new LinkedHashMap<>();
      values.put("type", NbdExportType.NAME);
      values.put("id", name.orElse(device));
      values.put("node-name", device);
      values.put("writable", writable.orElse(false) && !readOnly ? "on" : "off");
      name.ifPresent(text -> values.put("name", text));
      description.ifPresent(text -> values.put("description", text));
      bitmap.ifPresent(bitmapName -> values.put("bitmaps.0", bitmapName));
      return new Options("nbd-server-add", values);
    }
  }

  /** Which export is to end: {@code name} is its id. */
  public record NbdServerRemove(String name, Optional<RemoveMode> mode) {}

  private ExportCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockExports, ?, ?>> all() {
    return List.of(
        query(
            "query-block-exports",
            listOf(ExportInfo.class),
            "Lists the exports.",
            ExportCommands::exports),
        action(
            "block-export-add",
            NewExport.class,
            "Serves a node.",
            (exports, wanted) -> exports.open(wanted.options("block-export-add"))),
        QmpCommand.<BlockExports, ExportId>action(
                "block-export-del",
                ExportId.class,
                "Ends an export, and returns when it has ended. The mode 'safe', which is that"
                    + " unless another one is given, refuses while clients use it; 'hard'"
                    + " disconnects them when they have been answered.",
                (exports, given) -> remove(exports, given.id(), given.mode()))
            .at(QmpCommand.Place.MONITOR),
        action(
            "nbd-server-start",
            NbdServerStart.class,
            "Listens for NBD clients, as `--nbd-server` does.",
            (exports, given) -> NbdServer.open(exports, given.options())),
        QmpCommand.<BlockExports, QmpCommand.None>action(
                "nbd-server-stop",
                QmpCommand.None.class,
                "Ends the NBD server and all its exports; clients are disconnected when they have"
                    + " been answered.",
                (exports, _) -> NbdServer.close(exports))
            .at(QmpCommand.Place.MONITOR),
        action(
            "nbd-server-add",
            NbdServerAdd.class,
            "Serves a node by NBD, under its name unless another one is given, which is the"
                + " export's id, too. A node that takes no writes is not writable, whatever is"
                + " asked for. Older than `block-export-add`.",
            ExportCommands::addToServer),
        QmpCommand.<BlockExports, NbdServerRemove>action(
                "nbd-server-remove",
                NbdServerRemove.class,
                "As `block-export-del`, for exports of the type nbd.",
                ExportCommands::removeFromServer)
            .at(QmpCommand.Place.MONITOR));
  }

  private static List<ExportInfo> exports(BlockExports exports) {
    return exports.all().reversed().stream()
        .map(
            export ->
                new ExportInfo(
                    export.id(), export.type(), export.node().name(), exports.isEnding(export)))
        .toList();
  }

  private static void remove(BlockExports exports, String id, Optional<RemoveMode> mode)
      throws BlockException {
    switch (mode.orElse(RemoveMode.SAFE)) {
      case SAFE -> exports.closeUnused(id);
      case HARD -> exports.close(id);
    }
  }

  private static void addToServer(BlockExports exports, NbdServerAdd given)
      throws BlockException, OptionException {
    boolean readOnly = exports.graph().find(given.device()).readOnly();
    NbdServer.find(exports);
    exports.open(given.options(readOnly));
  }

  private static void removeFromServer(BlockExports exports, NbdServerRemove given)
      throws BlockException {
    BlockExport export =
        exports
            .mainLoop()
            .<BlockExport, BlockException>control("find-export", () -> exports.find(given.name()));
    if (!export.type().equals(NbdExportType.NAME)) {
      throw new BlockException("Block export '" + given.name() + "' is not an NBD export");
    }
    remove(exports, given.name(), given.mode());
  }
}
