// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The members of a QAPI object, which a record declares: {@code nodeName} is {@code node-name}, and
 * an {@link Optional} need not be there.
 */
final class Members {
  /**
   * One of them.
   *
   * @param name as it is on the wire
   * @param type without the {@link Optional}
   */
  record Member(String name, Type type, boolean optional, RecordComponent component) {}

  private Members() {}

  static List<Member> of(Class<?> record) {
    return Arrays.stream(record.getRecordComponents()).map(Members::member).toList();
  }

  private static Member member(RecordComponent component) {
    Type type = component.getGenericType();
    boolean optional = component.getType() == Optional.class;
    return new Member(name(component), optional ? inner(type) : type, optional, component);
  }

  /** What an {@link Optional} or a list holds. */
  static Type inner(Type type) {
    return ((ParameterizedType) type).getActualTypeArguments()[0];
  }

  private static String name(RecordComponent component) {
    QapiName given = component.getAnnotation(QapiName.class);
    return given != null ? given.value() : spelling(component.getName(), "-");
  }

  /** The word of an enumeration as QAPI spells it. */
  static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static String spelling(String javaName, String separator) {
    StringBuilder spelled = new StringBuilder();
    for (char c : javaName.toCharArray()) {
      if (Character.isUpperCase(c)) {
        spelled.append(separator).append(Character.toLowerCase(c));
      } else {
        spelled.append(c);
      }
    }
    return spelled.toString();
  }
}
