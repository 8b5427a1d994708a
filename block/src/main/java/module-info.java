// SPDX-License-Identifier: Apache-2.0

/** The block layer: contexts, the graph of nodes, drivers. */
module dev.spindle.block {
  exports dev.spindle.block.aio;
  exports dev.spindle.block.bitmap;
  exports dev.spindle.block.export;
  exports dev.spindle.block.export.nbd;
  exports dev.spindle.block.format;
  exports dev.spindle.block.graph;
  exports dev.spindle.block.image;
  exports dev.spindle.block.job;
  exports dev.spindle.block.job.backup;
  exports dev.spindle.block.job.chain;
  exports dev.spindle.block.job.create;
  exports dev.spindle.block.job.mirror;
  exports dev.spindle.block.nbd;
  exports dev.spindle.block.object;
  exports dev.spindle.block.options;
  exports dev.spindle.block.plugin;
  exports dev.spindle.block.probe;
  exports dev.spindle.block.throttle;
  exports dev.spindle.block.tls;

  uses dev.spindle.block.export.ExportType;
  uses dev.spindle.block.format.ImageCreator;
  uses dev.spindle.block.graph.BlockDriver;
  uses dev.spindle.block.plugin.DiskPlugin;

  provides dev.spindle.block.export.ExportType with
      dev.spindle.block.export.nbd.NbdExportType;
  provides dev.spindle.block.format.ImageCreator with
      dev.spindle.block.driver.luks.LuksCreator,
      dev.spindle.block.driver.parallels.ParallelsCreator,
      dev.spindle.block.driver.qcow2.Qcow2Creator,
      dev.spindle.block.driver.vdi.VdiCreator,
      dev.spindle.block.driver.vhdx.VhdxCreator,
      dev.spindle.block.driver.vmdk.VmdkCreator,
      dev.spindle.block.driver.vpc.VpcCreator;
  provides dev.spindle.block.graph.BlockDriver with
      dev.spindle.block.driver.blkdebug.BlkdebugDriver,
      dev.spindle.block.driver.blkverify.BlkverifyDriver,
      dev.spindle.block.driver.bochs.BochsDriver,
      dev.spindle.block.driver.cbw.CbwDriver,
      dev.spindle.block.driver.cloop.CloopDriver,
      dev.spindle.block.driver.copyonread.CopyOnReadDriver,
      dev.spindle.block.driver.dmg.DmgDriver,
      dev.spindle.block.driver.file.FileDriver,
      dev.spindle.block.driver.javaplugin.JavaDriver,
      dev.spindle.block.driver.luks.LuksDriver,
      dev.spindle.block.driver.nbd.NbdDriver,
      dev.spindle.block.driver.nullio.NullAioDriver,
      dev.spindle.block.driver.nullio.NullCoDriver,
      dev.spindle.block.driver.parallels.ParallelsDriver,
      dev.spindle.block.driver.qcow2.Qcow2Driver,
      dev.spindle.block.driver.quorum.QuorumDriver,
      dev.spindle.block.driver.raw.RawDriver,
      dev.spindle.block.driver.throttle.ThrottleDriver,
      dev.spindle.block.driver.vdi.VdiDriver,
      dev.spindle.block.driver.vhdx.VhdxDriver,
      dev.spindle.block.driver.vmdk.VmdkDriver,
      dev.spindle.block.driver.vpc.VpcDriver;

  requires java.compiler;
  requires org.slf4j;
  requires transitive dev.spindle.linux;
}
