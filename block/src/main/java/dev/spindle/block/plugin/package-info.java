// SPDX-License-Identifier: Apache-2.0

/**
 * Drivers written by users, in nbdkit's shape: say how large the disk is, do {@code read}, and get
 * sane defaults for the rest. {@link dev.spindle.block.plugin.DiskDriver} makes a disk; {@link
 * dev.spindle.block.plugin.DiskFilter} is the same thing with a {@linkplain
 * dev.spindle.block.plugin.NextDisk next} disk that it stands before. {@code
 * docs/writing-a-driver.md} is a tutorial.
 *
 * <p>A driver is found in one of three ways:
 *
 * <ul>
 *   <li>{@code driver=java,source=Ram.java}: a source file, compiled when the node is opened;
 *   <li>{@code driver=java,jar=ram.jar}, with {@code class=NAME} where the jar has several or names
 *       none: each node has a class loader of its own, closed with the node;
 *   <li>{@code driver=NAME}: a service of type {@link dev.spindle.block.plugin.DiskPlugin} on the
 *       class path or module path.
 * </ul>
 *
 * <p>Its life: constructed (without parameters), {@code configure}, {@code open}, requests, {@code
 * close}. All but the requests run on a thread of their own, one after another, while other control
 * work (opening, moving and closing disks) waits; so nothing of that should wait for ever.
 *
 * <p>What runs is trusted like the rest of the program: it may do what the process may.
 *
 * <p><strong>Stability.</strong> This package is stable, and so is what it uses of {@link
 * dev.spindle.block.options} and {@link dev.spindle.linux.Errno}: later versions add methods with
 * defaults, but a driver that compiles today goes on to compile and to mean the same. That is not
 * promised of {@link dev.spindle.block.graph}, the faster level on which the built-in drivers are
 * written (without a thread for each request, without copying, without allocation): it changes as
 * the block layer needs.
 */
package dev.spindle.block.plugin;
