// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.graph.BlockException;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.ThrottleGroupOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What users have made, as a tree with properties: QOM's composition tree, as far as it is
 * somebody's business. Control side.
 */
public final class ObjectTree {
  private static final String OBJECTS = "/objects";
  private static final String PERIPHERAL = "/machine/peripheral";
  private static final String CONTAINER = "container";

  /** A place in the tree. */
  public sealed interface Place {
    /** What it is. */
    String type();
  }

  /**
   * One that only holds others.
   *
   * @param children what they are, by name
   */
  public record Container(Map<String, String> children) implements Place {
    @Override
    public String type() {
      return CONTAINER;
    }
  }

  /** An object. */
  public record UserMade(ObjectOption option) implements Place {
    @Override
    public String type() {
      return option.type();
    }
  }

  /** A device. */
  public record Device(DeviceOption option) implements Place {
    @Override
    public String type() {
      return option.driver();
    }
  }

  private final ObjectContainer objects;

  /** The devices there are. Control side. */
  public interface Devices {
    /** There are none. */
    Devices NONE =
        new Devices() {
          @Override
          public List<DeviceOption> options() {
            return List.of();
          }

          @Override
          public void changeDrive(String id, String nodeName) {
            throw new IllegalStateException("there is no device '" + id + "'");
          }
        };

    /** What they are, as if they were to be made now. */
    List<DeviceOption> options();

    /**
     * Has a disk show another node, while the guest goes on using it.
     *
     * @throws BlockException if there is no such node, or it cannot take the place; nothing has
     *     changed then
     */
    void changeDrive(String id, String nodeName) throws BlockException;
  }

  private final Devices devices;

  /** Shows these objects and devices. */
  public ObjectTree(ObjectContainer objects, Devices devices) {
    this.objects = objects;
    this.devices = devices;
  }

  /** The devices themselves. */
  public Devices devices() {
    return devices;
  }

  /** The objects themselves. */
  public ObjectContainer objects() {
    return objects;
  }

  /**
   * Finds a place.
   *
   * @param path from the root, or an object's or device's id
   */
  public Optional<Place> find(String path) {
    String plain = path.length() > 1 && path.endsWith("/") ? path.replaceFirst("/+$", "") : path;
    return switch (plain) {
      case "/" -> container("machine", CONTAINER, "objects", CONTAINER);
      case "/machine" -> container("peripheral", CONTAINER);
      case OBJECTS -> {
        Map<String, String> children = new LinkedHashMap<>();
        objects.all().forEach(object -> children.put(object.id(), object.type()));
        yield Optional.of(new Container(children));
      }
      case PERIPHERAL -> {
        Map<String, String> children = new LinkedHashMap<>();
        devices.options().forEach(device -> children.put(device.id(), device.driver()));
        yield Optional.of(new Container(children));
      }
      default -> member(plain);
    };
  }

  private static Optional<Place> container(String... namesAndTypes) {
    Map<String, String> children = new LinkedHashMap<>();
    for (int i = 0; i < namesAndTypes.length; i += 2) {
      children.put(namesAndTypes[i], namesAndTypes[i + 1]);
    }
    return Optional.of(new Container(children));
  }

  private Optional<Place> member(String path) {
    if (path.startsWith(OBJECTS + "/")) {
      return object(path.substring(OBJECTS.length() + 1));
    }
    if (path.startsWith(PERIPHERAL + "/")) {
      return device(path.substring(PERIPHERAL.length() + 1));
    }
    return object(path).or(() -> device(path));
  }

  private Optional<Place> object(String id) {
    return objects.find(id).map(UserMade::new);
  }

  private Optional<Place> device(String id) {
    return devices.options().stream()
        .filter(device -> device.id().equals(id))
        .findFirst()
        .map(Device::new);
  }

  /**
   * What is told of a place: texts, numbers, truth values, or numbers by name.
   *
   * @return by name; nothing of what is secret
   */
  public static Map<String, Object> properties(Place place) {
    Map<String, Object> properties = new LinkedHashMap<>();
    properties.put("type", place.type());
    switch (place) {
      case Container _ -> {}
      case UserMade(IoThreadOption(_, var context)) -> {
        properties.put("poll-max-ns", context.pollMaxNs());
        properties.put("poll-grow", context.pollGrow());
        properties.put("poll-shrink", context.pollShrink());
        properties.put("aio-max-batch", context.maxBatch());
      }
      case UserMade(ThrottleGroupOption(_, var limits)) -> {
        properties.put("limits", limits.numbers());
        limits.numbers().forEach((name, number) -> properties.put("x-" + name, number));
      }
      case UserMade(ObjectOption.Other _) -> {}
      case Device(DeviceOption option) -> properties.putAll(option.properties());
    }
    return properties;
  }
}
