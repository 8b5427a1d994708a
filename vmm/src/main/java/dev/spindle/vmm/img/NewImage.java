// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.CreateOption.Kind;
import dev.spindle.block.image.MeasuredSource;
import dev.spindle.block.image.Measurement;
import dev.spindle.block.job.create.ImageCreation;
import dev.spindle.block.job.create.NewImageFile;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.ToolBlocks;
import dev.spindle.vmm.tool.ToolException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An image that is to be made: its format, and options as users give them with {@code -o}. */
final class NewImage {
  private static final String OWNER = "the new image";

  /** How an option refuses a word that is none of its values, or a number that is too large. */
  private static final Pattern REFUSED =
      Pattern.compile("(?:\\w+: )?parameter '([^']*)' is '([^']*)'.*");

  private static final List<CreateOption> FILE =
      List.of(
          CreateOption.size(),
          CreateOption.of(
              "preallocation", Kind.TEXT, "space taken at once: off, falloc (asked for), full"));

  private final String format;

  /** Null for a file without a format. */
  private final ImageCreator creator;

  private final List<CreateOption> known;
  private final Map<String, String> given = new LinkedHashMap<>();

  private NewImage(String format, ImageCreator creator, List<CreateOption> known) {
    this.format = format;
    this.creator = creator;
    this.known = known;
  }

  /**
   * Of a format.
   *
   * @throws ToolException if there is none of that name, or it can only be read
   */
  static NewImage of(ToolBlocks blocks, String format) throws ToolException {
    Map<String, BlockDriver> drivers = blocks.graph().drivers();
    if (!drivers.containsKey(format)) {
      throw new ToolException("Unknown file format '" + format + "'");
    }
    if (format.equals("raw") || format.equals("file")) {
      return new NewImage(format, null, FILE);
    }
    ImageCreator creator = ImageCreator.load().get(format);
    if (creator == null) {
      throw new ToolException("Format driver '" + format + "' does not support image creation");
    }
    return new NewImage(format, creator, creator.toolOptions());
  }

  /**
   * One that is there, of whose options some can be changed.
   *
   * @param known those
   */
  static NewImage amended(ToolBlocks blocks, String format, List<CreateOption> known)
      throws ToolException {
    return new NewImage(format, of(blocks, format).creator, known);
  }

  String format() {
    return format;
  }

  boolean takes(String option) {
    return known.stream().anyMatch(one -> one.name().equals(option));
  }

  Optional<String> value(String option) {
    return Optional.ofNullable(given.get(option));
  }

  void put(String option, String value) {
    given.put(option, value);
  }

  /** Takes what was given with {@code -o}, which may be more than one text. */
  void take(List<String> texts) throws ToolException {
    for (String text : texts) {
      Map<String, String> values;
      try {
        values = KeyValues.parse("-o", text, null);
      } catch (OptionException e) {
        throw new ToolException("Invalid option list: " + text, e);
      }
      for (Map.Entry<String, String> entry : values.entrySet()) {
        CreateOption option = find(entry.getKey());
        check(option, entry.getValue());
        given.put(option.name(), entry.getValue());
      }
    }
  }

  private CreateOption find(String name) throws ToolException {
    return known.stream()
        .filter(option -> option.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new ToolException("Invalid parameter '" + name + "'" + hint(name)));
  }

  /** What there is to say of an option that can be given to another command. */
  private String hint(String name) {
    boolean once =
        creator != null
            && creator.toolOptions().stream().anyMatch(option -> option.name().equals(name));
    return once ? "\n" + ImgSession.HINT + "This option is only supported for image creation" : "";
  }

  private static void check(CreateOption option, String value) throws ToolException {
    boolean right =
        switch (option.kind()) {
          case TEXT -> true;
          case BOOL -> Set.of("on", "off").contains(value);
          case NUMBER -> value.matches("\\d{1,18}");
          case SIZE -> ByteCount.parse(value) >= 0;
        };
    if (!right) {
      throw new ToolException(
          switch (option.kind()) {
            case BOOL -> "Parameter '" + option.name() + "' expects 'on' or 'off'";
            case NUMBER -> "Parameter '" + option.name() + "' expects a number";
            default ->
                "Parameter '"
                    + option.name()
                    + "' expects a non-negative number below 2^64\n"
                    + "|Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-,"
                    + " peta-\n"
                    + "|and exabytes, respectively.";
          });
    }
  }

  /** What {@code -o help} prints. */
  String help() {
    return "Supported " + format + " options:\n" + lines(known);
  }

  /** A line for each of some options. */
  static String lines(List<CreateOption> options) {
    StringBuilder text = new StringBuilder();
    options.stream()
        .sorted((one, other) -> one.name().compareTo(other.name()))
        .forEach(
            option ->
                text.append(
                    "  %-22s - %s\n"
                        .formatted(
                            option.name() + "=<" + kind(option.kind()) + ">", option.help())));
    return text.toString();
  }

  private static String kind(Kind kind) {
    return switch (kind) {
      case TEXT -> "str";
      case BOOL -> "bool (on/off)";
      case NUMBER -> "num";
      case SIZE -> "size";
    };
  }

  /** What {@code create} says before it begins. */
  String announcement(String filename) {
    StringBuilder text = new StringBuilder("Formatting '").append(filename).append("', fmt=");
    text.append(format);
    for (CreateOption option : known) {
      String value = given.getOrDefault(option.name(), option.otherwise().orElse(null));
      if (value != null) {
        text.append(' ').append(option.name()).append('=');
        text.append(
            switch (option.kind()) {
              case SIZE -> Long.toString(ByteCount.parse(value));
              default -> value.replace(",", ",,");
            });
      }
    }
    return text.toString();
  }

  /** Makes it. Straight-line code of {@link ImgSession#run}. */
  void create(ImgSession session, String filename) throws ToolException {
    ToolBlocks blocks = session.blocks();
    Path path = Path.of(stripped(filename));
    if (format.equals("raw") || format.equals("file")) {
      createFile(blocks, path, ByteCount.parse(given.get("size")), given.get("preallocation"));
      return;
    }
    ImageCreator.NewImage image = wanted();
    if (given.containsKey("data_file")) {
      createDataFile(blocks, path);
    }
    blocks.control(() -> NewImageFile.make(blocks.graph(), path, format, image));
  }

  /** Makes the file in which an image keeps its data, beside the image and as long as that is. */
  private void createDataFile(ToolBlocks blocks, Path image) throws ToolException {
    String preallocation = given.getOrDefault("preallocation", "off");
    long size = ByteCount.parse(given.get("size")) + 511 & -512;
    createFile(
        blocks,
        image.resolveSibling(stripped(given.get("data_file"))),
        size,
        preallocation.equals("metadata") ? "off" : preallocation);
  }

  private static void createFile(ToolBlocks blocks, Path path, long size, String preallocation)
      throws ToolException {
    Map<String, String> file = new LinkedHashMap<>();
    file.put("driver", "file");
    file.put("filename", path.toString());
    file.put("size", Long.toString(size));
    if (preallocation != null) {
      if (!List.of("off", "falloc", "full").contains(preallocation)) {
        throw new ToolException("invalid parameter value: " + preallocation);
      }
      file.put("preallocation", preallocation);
    }
    ImageCreation creation = blocks.control(() -> ImageCreation.of(new Options(OWNER, file)));
    blocks.control(
        () -> {
          creation.create(blocks.context(), ImageCreation.Steps.IGNORED);
          return null;
        });
  }

  /** What a format's driver makes of the options; nothing is made yet. */
  private ImageCreator.NewImage wanted() throws ToolException {
    if (given.containsKey("backing_fmt") && !given.containsKey("backing_file")) {
      throw new ToolException("Backing format cannot be used without backing file");
    }
    try {
      Options options = new Options(OWNER, words());
      ImageCreator.NewImage image = creator.read(options);
      options.finish();
      return image;
    } catch (OptionException e) {
      throw new ToolException(refusal(e.getMessage()), e);
    }
  }

  /**
   * Says how large its file would be; a raw image takes what it shows.
   *
   * @param source what it is to hold, if anything
   */
  Measurement measure(Optional<MeasuredSource> source) throws ToolException {
    if (creator == null) {
      long size = ByteCount.parse(given.get("size")) + 511 & -512;
      return new Measurement(size, size, OptionalLong.empty());
    }
    try {
      return creator.measure(new Options(OWNER, words()), source);
    } catch (OptionException e) {
      throw new ToolException(refusal(e.getMessage()), e);
    } catch (BlockException e) {
      throw new ToolException(e.getMessage(), e);
    }
  }

  /** The options in the words of the format's driver. */
  private Map<String, String> words() {
    Map<String, String> words = new LinkedHashMap<>();
    for (CreateOption option : known) {
      String value = given.getOrDefault(option.name(), option.otherwise().orElse(null));
      if (value != null) {
        words.putAll(
            option
                .words()
                .of(option.kind() == Kind.SIZE ? Long.toString(ByteCount.parse(value)) : value));
      }
    }
    return words;
  }

  /** In the words of QEMU's tools, which scripts look for. */
  private static String refusal(String message) {
    String sentence =
        message.startsWith(OWNER + ": ") ? message.substring(OWNER.length() + 2) : message;
    Matcher refused = REFUSED.matcher(sentence);
    if (!refused.matches()) {
      return sentence;
    }
    return refused.group(1).equals("refcount-bits")
        ? "Refcount width must be a power of two and may not exceed 64 bits"
        : "Parameter '%s' does not accept value '%s'".formatted(refused.group(1), refused.group(2));
  }

  private static String stripped(String filename) {
    return filename.startsWith("file:") ? filename.substring("file:".length()) : filename;
  }
}
