// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.machine;

import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * Reads QEMU's {@code iothread-vq-mapping}: a list of iothreads, each with the queues that work on
 * it, or all without, in which case queues are dealt out in turn.
 */
final class QueueMappingOption {
  private final String owner;
  private final int queues;
  private final Collection<String> ioThreads;

  QueueMappingOption(String owner, int queues, Collection<String> ioThreads) {
    this.owner = owner;
    this.queues = queues;
    this.ioThreads = ioThreads;
  }

  QueueMapping read(Options mapping) throws OptionException {
    List<String> names = new ArrayList<>();
    String[] assigned = new String[queues];
    boolean anyQueues = false;
    boolean anyWithout = false;
    for (int i = 0; !mapping.isEmpty(); i++) {
      Options item = mapping.nested(Integer.toString(i));
      if (item.isEmpty()) {
        mapping.finish();
      }
      String name = item.require("iothread");
      checkName(name, names);
      names.add(name);
      List<Integer> numbers = queueNumbers(name, item.nested("vqs"));
      item.finish();
      anyQueues |= !numbers.isEmpty();
      anyWithout |= numbers.isEmpty();
      for (int number : numbers) {
        assign(assigned, number, name);
      }
    }
    if (anyQueues && anyWithout) {
      throw refusal(
          "either all items in iothread-vq-mapping must have vqs or none of them must have it");
    }
    if (anyWithout) {
      return QueueMapping.inTurn(queues, names);
    }
    for (int queue = 0; queue < queues; queue++) {
      if (assigned[queue] == null) {
        throw refusal("missing vq " + queue + " IOThread assignment in iothread-vq-mapping");
      }
    }
    return new QueueMapping(Arrays.asList(assigned));
  }

  private void checkName(String name, List<String> earlier) throws OptionException {
    if (!ioThreads.contains(name)) {
      throw refusal("cannot find iothread '" + name + "'" + NearNames.hint(name, ioThreads));
    }
    if (earlier.contains(name)) {
      throw refusal("duplicate IOThread name '" + name + "' in iothread-vq-mapping");
    }
  }

  private List<Integer> queueNumbers(String name, Options vqs) throws OptionException {
    List<Integer> numbers = new ArrayList<>();
    for (int i = 0; !vqs.isEmpty(); i++) {
      Optional<String> text = vqs.any(Integer.toString(i));
      if (text.isEmpty()) {
        vqs.finish();
      }
      int number;
      try {
        number = Integer.parseInt(text.orElseThrow());
      } catch (NumberFormatException e) {
        throw refusal("'" + text.get() + "' is no vq index for IOThread '" + name + "'");
      }
      if (number < 0 || number >= queues) {
        throw refusal(
            "vq index "
                + number
                + " for IOThread '"
                + name
                + "' must be less than num-queues "
                + queues
                + " in iothread-vq-mapping");
      }
      numbers.add(number);
    }
    return numbers;
  }

  private void assign(String[] assigned, int queue, String name) throws OptionException {
    if (assigned[queue] != null) {
      throw refusal(
          "cannot assign vq "
              + queue
              + " to IOThread '"
              + name
              + "' because it is already assigned to '"
              + assigned[queue]
              + "'");
    }
    assigned[queue] = name;
  }

  private OptionException refusal(String what) {
    return new OptionException(owner + ": " + what);
  }
}
