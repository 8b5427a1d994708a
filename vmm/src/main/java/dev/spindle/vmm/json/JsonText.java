// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.json;

import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads JSON text from outside. Whole numbers are exact, others are doubles, as in QEMU. Jackson's
 * default limits hold, so that no text can exhaust the stack: 500 levels, 1000 digits.
 */
public final class JsonText {
  private static final JsonMapper MAPPER = mapper(false);

  /** A class of its own so that only who speaks QMP waits for another mapper. */
  private static final class Qmp {
    static final JsonMapper MAPPER = mapper(true);
  }

  /** What Jackson adds for programmers: its settings, and the text that was read. */
  private static final Pattern ASIDE =
      Pattern.compile(" \\(start marker at .*\\)|, from `[^`]*`|: enable `[^`]*` to allow");

  private JsonText() {}

  private static JsonMapper mapper(boolean singleQuotes) {
    return new JsonMapper(
        JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .configure(JsonReadFeature.ALLOW_SINGLE_QUOTES, singleQuotes)
            .build());
  }

  /**
   * Reads text that is one object and nothing else.
   *
   * @throws JsonException if it is not, or if an object has two members of one name
   */
  public static ObjectNode object(String text) throws JsonException {
    JsonNode value = read(MAPPER, text, true);
    return (ObjectNode) value;
  }

  /**
   * Reads text that is one value of any kind and nothing else, as QMP has it: strings may stand in
   * single quotes.
   *
   * @throws JsonException if it is not, or if an object has two members of one name
   */
  public static JsonNode qmpValue(String text) throws JsonException {
    return read(Qmp.MAPPER, text, false);
  }

  private static JsonNode read(JsonMapper mapper, String text, boolean mustBeObject)
      throws JsonException {
    try (JsonParser parser = mapper.createParser(text)) {
      try {
        JsonToken first = parser.nextToken();
        if (mustBeObject && first != JsonToken.START_OBJECT) {
          throw problem(parser.currentTokenLocation(), "an object is missing", null);
        }
        JsonNode value = parser.readValueAsTree();
        if (parser.nextToken() != null) {
          throw problem(parser.currentTokenLocation(), "something follows the object", null);
        }
        return value;
      } catch (JacksonException e) {
        TokenStreamLocation where = e.getLocation();
        throw problem(
            where == null ? parser.currentLocation() : where,
            ASIDE.matcher(e.getOriginalMessage()).replaceAll(""),
            e);
      }
    }
  }

  private static JsonException problem(TokenStreamLocation where, String what, Throwable cause) {
    return new JsonException(
        "line %d, column %d: %s".formatted(where.getLineNr(), where.getColumnNr(), what), cause);
  }
}
