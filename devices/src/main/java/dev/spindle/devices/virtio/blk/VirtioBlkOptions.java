// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Locale;
import java.util.Map;

/**
 * The properties of a virtio-blk device apart from its drive and threads; names, defaults and
 * ranges as QEMU's {@code virtio-blk-pci} has them. Sizes in bytes unless named sectors (512
 * bytes).
 *
 * @param serial what GET_ID answers, at most 20 bytes
 * @param configWce whether the guest may switch the write cache ({@code config-wce})
 * @param writeCache whether writes may complete before they are on stable storage
 * @param discard whether discard is offered
 * @param writeZeroes whether write-zeroes is offered
 * @param maxDiscardSectors longest discard
 * @param maxWriteZeroesSectors longest write-zeroes
 * @param queueSize descriptors a queue, a power of two
 * @param logicalBlockSize the smallest unit of a request
 * @param physicalBlockSize the unit the storage likes best
 * @param minIoSize smallest efficient request, 0 if unknown
 * @param optIoSize most efficient request, 0 if unknown
 * @param discardGranularity alignment of discards, -1 to follow the logical block size
 * @param shareRw whether other writers of the node are tolerated
 * @param errors what becomes of requests that fail
 */
public record VirtioBlkOptions(
    String serial,
    boolean configWce,
    boolean writeCache,
    boolean discard,
    boolean writeZeroes,
    long maxDiscardSectors,
    long maxWriteZeroesSectors,
    int queueSize,
    int logicalBlockSize,
    int physicalBlockSize,
    int minIoSize,
    int optIoSize,
    long discardGranularity,
    boolean shareRw,
    ErrorPolicies errors) {

  /** BDRV_REQUEST_MAX_SECTORS of QEMU: just below 2 GiB. */
  private static final long MAX_SECTORS = Integer.MAX_VALUE >> VirtioBlkFeatures.SECTOR_SHIFT;

  private static final long MAX_BLOCK_SIZE = 2 << 20;

  /** Takes the properties out of what the user gave. */
  public static VirtioBlkOptions from(Options options) throws OptionException {
    String serial = options.string("serial").orElse("");
    if (serial.length() > VirtioBlkFeatures.ID_BYTES) {
      throw new OptionException(
          options.owner() + ": parameter 'serial' is longer than 20 characters");
    }
    int logical = blockSize(options, "logical_block_size", 512);
    int physical = blockSize(options, "physical_block_size", logical);
    if (logical > physical) {
      throw new OptionException(
          options.owner() + ": logical_block_size > physical_block_size not supported");
    }
    VirtioBlkOptions result =
        new VirtioBlkOptions(
            serial,
            options.bool("config-wce", true),
            options.bool("write-cache", true),
            options.bool("discard", true),
            options.bool("write-zeroes", true),
            options.number("max-discard-sectors", MAX_SECTORS, 1, MAX_SECTORS),
            options.number("max-write-zeroes-sectors", MAX_SECTORS, 1, MAX_SECTORS),
            powerOfTwo(options, "queue-size", 256, 4, 1024),
            logical,
            physical,
            multiple(options, "min_io_size", logical, 65535L * logical),
            multiple(options, "opt_io_size", logical, Integer.MAX_VALUE),
            options.size("discard_granularity", -1),
            options.bool("share-rw", false),
            ErrorPolicies.from(options));
    if (result.discardGranularity >= 0 && result.discardGranularity % logical != 0) {
      throw new OptionException(
          options.owner() + ": discard_granularity must be a multiple of logical_block_size");
    }
    return result;
  }

  /** Adds them all, under the names that {@link #from} takes them by. */
  public void addTo(Map<String, Object> properties) {
    properties.put("serial", serial);
    properties.put("config-wce", configWce);
    properties.put("write-cache", writeCache);
    properties.put("discard", discard);
    properties.put("write-zeroes", writeZeroes);
    properties.put("max-discard-sectors", maxDiscardSectors);
    properties.put("max-write-zeroes-sectors", maxWriteZeroesSectors);
    properties.put("queue-size", (long) queueSize);
    properties.put("logical_block_size", (long) logicalBlockSize);
    properties.put("physical_block_size", (long) physicalBlockSize);
    properties.put("min_io_size", (long) minIoSize);
    properties.put("opt_io_size", (long) optIoSize);
    properties.put("discard_granularity", discardGranularity);
    properties.put("share-rw", shareRw);
    properties.put("rerror", errors.reads().name().toLowerCase(Locale.ROOT));
    properties.put("werror", errors.writes().name().toLowerCase(Locale.ROOT));
  }

  private static int blockSize(Options options, String key, int otherwise) throws OptionException {
    long size = options.size(key, otherwise);
    if (size < 512 || size > MAX_BLOCK_SIZE || Long.bitCount(size) != 1) {
      throw new OptionException(
          options.owner()
              + ": parameter '"
              + key
              + "' must be a power of 2 between 512 and "
              + MAX_BLOCK_SIZE);
    }
    return (int) size;
  }

  private static int powerOfTwo(Options options, String key, int otherwise, int least, int most)
      throws OptionException {
    long value = options.number(key, otherwise, least, most);
    if (Long.bitCount(value) != 1) {
      throw new OptionException(options.owner() + ": parameter '" + key + "' must be a power of 2");
    }
    return (int) value;
  }

  private static int multiple(Options options, String key, int unit, long most)
      throws OptionException {
    long value = options.size(key, 0);
    if (value % unit != 0 || value > most) {
      throw new OptionException(
          options.owner()
              + ": parameter '"
              + key
              + "' must be a multiple of logical_block_size, at most "
              + most);
    }
    return (int) value;
  }

  /** Bytes that discards should be aligned to. */
  long effectiveDiscardGranularity() {
    return discardGranularity > 0 ? discardGranularity : logicalBlockSize;
  }
}
