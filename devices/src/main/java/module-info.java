// SPDX-License-Identifier: Apache-2.0

/** What the guest sees: virtio queues and devices, PCI, serial and platform devices. */
module dev.spindle.devices {
  requires org.slf4j;
  requires transitive dev.spindle.block;

  exports dev.spindle.devices.bus;
  exports dev.spindle.devices.irq;
  exports dev.spindle.devices.memory;
  exports dev.spindle.devices.pci;
  exports dev.spindle.devices.platform;
  exports dev.spindle.devices.serial;
  exports dev.spindle.devices.vhost;
  exports dev.spindle.devices.virtio.blk;
  exports dev.spindle.devices.virtio.driver;
  exports dev.spindle.devices.virtio.rng;
  exports dev.spindle.devices.virtio;

  provides dev.spindle.block.graph.BlockDriver with
      dev.spindle.devices.vhost.FrontEndDriver;
  provides dev.spindle.block.export.ExportType with
      dev.spindle.devices.vhost.VhostUserBlkType;
}
